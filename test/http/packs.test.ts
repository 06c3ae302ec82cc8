import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { encodeValue } from "../../shared/wire/codec.ts";
import { limits } from "../../shared/limits.ts";
import { TaskPacker } from "../../shared/wire/task-pack.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, frames, packed, refusal } from "../support/rest.ts";

function packOf(first: number, ...inputs: Uint8Array[]): Uint8Array {
  const packer = new TaskPacker(first);
  for (const input of inputs) packer.add(input, []);
  return packer.encode();
}

const post = (server: HttpServer, id: string, pack: Uint8Array): Promise<Response> =>
  server.request(`/api/jobs/${id}/tasks`, packed(pack));
const totalOf = async (server: HttpServer, id: string): Promise<number> =>
  ((await (await server.request(`/api/jobs/${id}`)).json()) as { counts: { total: number } }).counts.total;
const [one, two, three] = [1, 2, 3].map((value) => encodeValue(value)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

describe("packs of tasks", () => {
  test("[ONCE-2] sent again add nothing, and overlapping ones only what is new", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const replies = [packOf(0, one, two), packOf(0, one, two), packOf(1, two, three)];
    const answers: unknown[] = [];
    for (const pack of replies) answers.push(await (await post(server, id, pack)).json());
    expect(answers).toEqual([
      { added: 2, repeated: 0, total: 2 },
      { added: 0, repeated: 2, total: 2 },
      { added: 1, repeated: 1, total: 3 },
    ]);
    const claimed = await server.store.claim(id, 9);
    expect(claimed.map(({ index, input }) => [index, [...(input as Uint8Array)]])).toEqual([
      [0, [1]],
      [1, [2]],
      [2, [3]],
    ]);
  });

  test("[ONCE-3] [PACK-1] with another input for an index are refused whole, and the task is named", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    await post(server, id, packOf(0, one, two));
    const message = await refusal(await post(server, id, packOf(1, three, three)), 409, "CONFLICT");
    expect(message).toContain("Task 1 ");
    expect(await totalOf(server, id)).toBe(2);
  });

  test.each([
    ["that are none", encode(7), 400, "BAD_REQUEST"],
    ["whose sizes do not fit", encode({ first: 0, sizes: [1, 9], bytes: one }), 400, "BAD_REQUEST"],
    ["that are too large", new Uint8Array(limits.bodyBytes + 1), 413, "TOO_LARGE"],
    [
      "with a blob that is not there",
      encode({
        first: 0,
        sizes: [1, 0],
        bytes: one,
        extras: [{ at: 1, input: { sha256: "0".repeat(64), size: 3 } }],
      }),
      422,
      "UNKNOWN_BLOB",
    ],
  ] as const)(
    "[PACK-1] %s are refused in words, and nothing of them stays",
    async (_, pack, status, code) => {
      const server = await startHttpServer();
      const { id } = await createJob(server);
      await refusal(await post(server, id, pack), status, code);
      expect(await totalOf(server, id)).toBe(0);
    },
  );
});

describe("packs of results", () => {
  const accept = { headers: { accept: "application/x-manyhands-results" } };

  test("[PACK-2] go on behind any sequence number, and hold a bounded share of a page", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const count = 3000;
    const output = encodeValue(new Uint8Array(100).fill(7));
    await post(server, id, packOf(0, ...Array.from({ length: count }, () => one)));
    await server.request(`/api/jobs/${id}/close`, { method: "POST" });
    const claimed = await server.store.claim(id, count);
    await server.store.complete(
      id,
      claimed.map(({ index }) => ({ state: "done", index, output, refs: [] })),
    );
    const read = async (after: number) => {
      const reply = await server.request(`/api/jobs/${id}/results?after=${after}`, accept);
      expect(reply.headers.get("content-type")).toBe(accept.headers.accept);
      const all = frames(await reply.arrayBuffer()) as { seqs: number[]; bytes: Uint8Array }[];
      expect(all.at(-1)).toMatchObject({ state: "end", job: "finished" });
      return all.slice(0, -1);
    };
    const packs = await read(0);
    expect(packs.length).toBeGreaterThan(2);
    for (const { bytes } of packs) expect(bytes.length).toBeLessThan(64 * 1024 + output.length);
    expect(packs.flatMap(({ seqs }) => seqs)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect((await read(count - 2)).flatMap(({ seqs }) => seqs)).toEqual([count - 1, count]);
    expect(await read(count)).toEqual([]);
  });

  test("are sent only to readers who asked for them", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server, { inputs: [] });
    const anything = await server.request(`/api/jobs/${id}/results`, { headers: { accept: "*/*" } });
    expect(anything.headers.get("content-type")).toMatch("application/x-ndjson");
  });
});
