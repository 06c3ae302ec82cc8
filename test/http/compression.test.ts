import { decodeMulti, encode } from "@msgpack/msgpack";
import { once } from "node:events";
import { get, request, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { createGunzip, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { limits } from "../../shared/limits.ts";
import { seededRandom } from "../../shared/random.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { TaskPacker } from "../../shared/wire/task-pack.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, frames, json, msgpack, ndjson, packed, refusal } from "../support/rest.ts";

const texts = Array.from({ length: 300 }, (_, index) =>
  Array.from({ length: 20 }, (_, at) => `particle ${at} of image ${index}`),
);

function packOf(inputs: readonly unknown[]): Uint8Array {
  const packer = new TaskPacker(0);
  for (const input of inputs) packer.add(encodeValue(input as never), []);
  return packer.encode();
}

const bodies: Record<string, RequestInit> = {
  NDJSON: ndjson(texts.map((input, index) => JSON.stringify({ index, input })).join("\n")),
  MessagePack: msgpack(...texts.map((input, index) => encode({ index, input: encodeValue(input) }))),
  JSON: json(texts.map((input, index) => ({ index, input }))),
  "a pack": packed(packOf(texts)),
};

/** The same request with its body compressed, or another body. */
function inEncoding(request: RequestInit, body: Uint8Array, encoding = "gzip"): RequestInit {
  const headers = { ...(request.headers as Record<string, string>), "content-encoding": encoding };
  return { ...request, headers, body: Buffer.from(body) };
}

const plainBody = ({ body }: RequestInit): Buffer => Buffer.from(body as Uint8Array);

async function jobAt(server: HttpServer): Promise<{ tasks: string; total: () => Promise<number> }> {
  const { id } = await createJob(server);
  const total = async (): Promise<number> => {
    const job = (await (await server.request(`/api/jobs/${id}`)).json()) as { counts: { total: number } };
    return job.counts.total;
  };
  return { tasks: `/api/jobs/${id}/tasks`, total };
}

describe("[MILES-8] inputs that come compressed", () => {
  test.each(Object.entries(bodies))("as %s are the same tasks", async (_, request) => {
    const server = await startHttpServer();
    const { tasks } = await jobAt(server);
    const plain = plainBody(request);
    const compressed = gzipSync(plain);
    expect(compressed.length).toBeLessThan(plain.length / 3);
    const reply = await server.request(tasks, inEncoding(request, compressed));
    expect(reply.headers.get("accept-encoding")).toBe("gzip");
    expect(await reply.json()).toEqual({ added: 300, repeated: 0, total: 300 });
    const repeated = await server.request(tasks, request);
    expect(await repeated.json()).toEqual({ added: 0, repeated: 300, total: 300 });
  });

  test("are taken up to the damaged byte, or the cut", async () => {
    const server = await startHttpServer();
    const { tasks, total } = await jobAt(server);
    const random = seededRandom("numbers");
    const numbers = Array.from({ length: 60_000 }, () => JSON.stringify({ input: random() })).join("\n");
    const compressed = gzipSync(numbers);
    const request = inEncoding(ndjson(""), compressed.subarray(0, compressed.length / 2));
    const message = await refusal(await server.request(tasks, request), 400, "BAD_REQUEST");
    expect(message).toMatch(
      /^Line \d+: The body is no whole gzip: unexpected end of file\. Of this request \d+/,
    );
    const taken = await total();
    expect(taken).toBeGreaterThan(10_000);
    expect(taken).toBeLessThan(60_000);
    // The first byte of the checksum.
    compressed[compressed.length - 8]! ^= 1;
    const damaged = await server.request(tasks, inEncoding(ndjson(""), compressed));
    expect(await refusal(damaged, 400, "BAD_REQUEST")).toContain("no whole gzip: incorrect data check");
    await refusal(
      await server.request(tasks, inEncoding(packed(packOf([1])), packOf([1]))),
      400,
      "BAD_REQUEST",
    );
  });

  test("in other encodings are refused", async () => {
    const server = await startHttpServer();
    const { tasks } = await jobAt(server);
    const request = inEncoding(ndjson(""), deflateSync('{"input":1}'), "deflate");
    const reply = await server.request(tasks, request);
    expect(reply.headers.get("accept-encoding")).toBe("gzip");
    expect(await refusal(reply, 415, "UNSUPPORTED_TYPE")).toContain("expected gzip, or none");
  });

  test("and inflate beyond the limit are refused, in the memory of plain ones", async () => {
    const server = await startHttpServer();
    const { tasks, total } = await jobAt(server);
    const line = gzipSync(Buffer.alloc(20 * limits.bodyBytes, 32));
    expect(line.length).toBeLessThan(limits.bodyBytes / 10);
    const before = process.memoryUsage().rss;
    for (const form of [ndjson(""), packed(packOf([1])), json([])])
      await refusal(await server.request(tasks, inEncoding(form, line)), 413, "TOO_LARGE");
    expect(process.memoryUsage().rss - before).toBeLessThan(8 * limits.bodyBytes);
    expect(await total()).toBe(0);
  });

  test("are refused at a broken line like plain ones, and read to their end", async () => {
    const server = await startHttpServer();
    const { tasks, total } = await jobAt(server);
    const long = Buffer.from(noise("long", 4_000_000)).toString("base64");
    const headers = {
      authorization: `Bearer ${server.tokens.customer}`,
      "content-type": "application/x-ndjson",
      "content-encoding": "gzip",
    };
    const sent = request(`${server.url}${tasks}`, { method: "POST", headers });
    const finished = once(sent, "finish");
    sent.end(gzipSync(`{"input":1}\n{"input":\n${long}`, { level: 0 }));
    const [reply] = (await once(sent, "response")) as [IncomingMessage];
    expect((await buffer(reply)).toString()).toContain("Line 2: ");
    await finished;
    expect(await total()).toBe(1);
  });
});

/** The reply as it comes over the wire. */
function open(server: HttpServer, path: string, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const authorization = `Bearer ${server.tokens.customer}`;
    const request = get(
      `${server.url}${path}`,
      { headers: { authorization, ...headers }, agent: false },
      resolve,
    );
    request.on("error", reject);
    onTestFinished(() => void request.destroy());
  });
}

/** A finished job with these outputs. */
async function finishedJob(server: HttpServer, outputs: readonly unknown[]): Promise<string> {
  const { id } = await createJob(server);
  await server.request(`/api/jobs/${id}/tasks?close=1`, packed(packOf(outputs.map((_, index) => index))));
  const claimed = await server.store.claim(id, outputs.length);
  await server.store.complete(
    id,
    claimed.map(({ index }) => {
      return { state: "done", index, output: encodeValue(outputs[index] as never), refs: [] };
    }),
  );
  return `/api/jobs/${id}/results`;
}

const forms = {
  NDJSON: "application/x-ndjson",
  MessagePack: "application/x-msgpack",
  JSON: "application/json",
  packs: "application/x-manyhands-results",
};

/** Bytes that do not shrink. */
function noise(seed: string, length: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random() * 256);
}

describe("[MILES-8] results", () => {
  test.each(Object.entries(forms))("as %s come compressed to who asks for that", async (_, accept) => {
    const server = await startHttpServer();
    const path = await finishedJob(server, texts);
    const [plain, asked] = await Promise.all([
      open(server, path, { accept }),
      open(server, path, { accept, "accept-encoding": "br, gzip" }),
    ]);
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(asked.headers["content-encoding"]).toBe("gzip");
    expect(asked.headers["vary"]).toBe("Accept, Accept-Encoding");
    const [bytes, compressed] = await Promise.all([buffer(plain), buffer(asked)]);
    expect(compressed.length).toBeLessThan(bytes.length / 3);
    expect(gunzipSync(compressed).equals(bytes)).toBe(true);
    const refused = await open(server, path, { accept, "accept-encoding": "gzip;q=0" });
    expect(refused.headers["content-encoding"]).toBeUndefined();
    refused.destroy();
  });

  test("that do not shrink are wrapped, also between others", async () => {
    const server = await startHttpServer();
    const text = texts.flat().join("\n").slice(0, 200_000);
    const outputs = Array.from({ length: 24 }, (_, index) =>
      index % 8 < 4 ? noise(`${index}`, 200_000) : `${index} ${text}`,
    );
    const path = await finishedJob(server, outputs);
    const accept = forms.MessagePack;
    const [bytes, compressed] = await Promise.all([
      open(server, path, { accept }).then(buffer),
      open(server, path, { accept, "accept-encoding": "gzip" }).then(buffer),
    ]);
    expect(gunzipSync(compressed).equals(bytes)).toBe(true);
    expect([...decodeMulti(bytes)]).toHaveLength(25);
    const noiseBytes = 12 * 200_000;
    expect(compressed.length).toBeGreaterThan(noiseBytes);
    expect(compressed.length).toBeLessThan(1.02 * noiseBytes + (bytes.length - noiseBytes) / 3);
    const pure = await finishedJob(server, [noise("pure", 250_000)]);
    const wrapped = await buffer(await open(server, pure, { accept, "accept-encoding": "gzip" }));
    expect(wrapped.length).toBeLessThan(251_000);
    expect(wrapped.length).toBeGreaterThan(250_000);
  });

  test("that are followed come one by one, with signs of life between them", async () => {
    const server = await startHttpServer();
    const client = server.client(undefined, { answering: false, want: 1 });
    const { id } = await createJob(server, { inputs: [1, 2], open: true });
    const headers = { accept: forms.packs, "accept-encoding": "gzip" };
    const reply = await open(server, `/api/jobs/${id}/results?follow=1`, headers);
    const read: Buffer[] = [];
    reply.pipe(createGunzip()).on("data", (bytes: Buffer) => read.push(bytes));
    const packs = (): { seqs?: number[] }[] => {
      const { buffer: all, byteOffset, length } = Buffer.concat(read);
      return frames(all.slice(byteOffset, byteOffset + length)) as { seqs?: number[] }[];
    };
    for (const results of [1, 2]) {
      await expect.poll(() => client.held).toHaveLength(1);
      client.deliver((index) => index);
      await expect.poll(() => packs().flatMap(({ seqs = [] }) => seqs)).toHaveLength(results);
    }
    await expect.poll(() => Buffer.concat(read).subarray(-4).readUInt32BE(), { timeout: 10_000 }).toBe(0);
    await server.request(`/api/jobs/${id}/close`, { method: "POST" });
    await expect.poll(() => packs().at(-1)).toMatchObject({ state: "end", job: "finished" });
    await expect.poll(() => reply.complete).toBe(true);
  });
});
