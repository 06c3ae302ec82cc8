import { decodeMulti, encode } from "@msgpack/msgpack";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { decodeValue, encodeValue } from "../../shared/wire/codec.ts";
import { valueFromJson } from "../../shared/wire/value-json.ts";
import type { ResultLine } from "../../shared/wire/rest/results.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { sameValue } from "../support/value-rows.ts";
import { createJob, frames, lines, msgpack, ndjson, refusal } from "../support/rest.ts";

/** Opens a response that is read only at the test's request. */
function open(
  server: HttpServer,
  path: string,
  headers: Record<string, string> = {},
  agent: Agent | false = false,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const authorization = `Bearer ${server.tokens.customer}`;
    get(`${server.url}${path}`, { headers: { authorization, ...headers }, agent }, resolve).on(
      "error",
      reject,
    );
  });
}

/** Reads on until the text so far contains the given text. */
function reader(response: IncomingMessage): (text: string) => Promise<void> {
  let all = "";
  response.on("data", (chunk) => (all += String(chunk)));
  return (text) => eventually(() => expect(all).toContain(text));
}

describe("forms", () => {
  test("NDJSON by default, a JSON array or MessagePack by Accept; outputs pass through MessagePack untouched", async () => {
    const server = await startHttpServer();
    server.client((x) => ({ twice: (x as number) * 2, bytes: Uint8Array.of(1) }));
    const { id } = await createJob(server, { inputs: [1, 2] });
    const path = `/api/jobs/${id}/results`;
    const asLines = await lines(await server.request(`${path}?follow=1`));
    expect(asLines.map(({ state }) => state)).toEqual(["done", "done", "end"]);
    expect(asLines[0]).toMatchObject({ seq: 1, output: { twice: 2, bytes: { $bytes: "AQ==" } } });

    const array = await server.request(path, { headers: { accept: "application/json" } });
    expect(array.headers.get("content-type")).toMatch("application/json");
    expect(await array.json()).toEqual(asLines);

    const packed = await server.request(path, { headers: { accept: "application/x-msgpack" } });
    const items = [...decodeMulti(await packed.arrayBuffer())] as ResultLine[];
    expect(items.map(({ state }) => state)).toEqual(["done", "done", "end"]);
    const [first] = items;
    expect(first?.state === "done" && decodeValue(first.output as Uint8Array)).toEqual({
      twice: 2,
      bytes: Uint8Array.of(1),
    });
    const refused = await server.request(`${path}?follow=1`, { headers: { accept: "application/json" } });
    await refusal(refused, 415, "UNSUPPORTED_TYPE");
    await refusal(await server.request(path, { headers: { accept: "text/html" } }), 415, "UNSUPPORTED_TYPE");
  });

  /** A job of one finished task whose output is in a blob. */
  async function withLargeOutput(server: HttpServer, bytes: Uint8Array): Promise<string> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const put = await server.request(`/api/blobs/${sha256}`, {
      method: "PUT",
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    expect(put.status).toBe(201);
    const { id } = await createJob(server, { inputs: [1] });
    const name = { sha256, size: bytes.length } as never;
    await server.store.claim(id, 1);
    await server.store.complete(id, [{ state: "done", index: 0, output: name, refs: [] }]);
    return id;
  }

  test("[VALUE-5] an output that is a blob is JSON for a reader who asks for JSON, and named in MessagePack", async () => {
    const server = await startHttpServer();
    const value = {
      floats: new Float32Array(100_000).map((_, i) => Math.sin(i)),
      $text: "ü\u{1f44b}\n".repeat(50_000),
      rows: Array.from({ length: 20_000 }, (_, i) => ({ i, odd: i % 2 === 1, none: null })),
      bytes: new Uint8Array(300_001).fill(9),
    };
    const id = await withLargeOutput(server, encodeValue(value));
    const [line, end] = await lines(await server.request(`/api/jobs/${id}/results`));
    expect(line).toMatchObject({ state: "done", seq: 1, index: 0 });
    expect(end).toMatchObject({ state: "end" });
    const { output } = line as { output: unknown };
    expect(sameValue(valueFromJson(output), value)).toBe(true);
    const array = await server.request(`/api/jobs/${id}/results`, {
      headers: { accept: "application/json" },
    });
    expect(await array.json()).toEqual([line, end]);
    const packed = await server.request(`/api/jobs/${id}/results`, {
      headers: { accept: "application/x-msgpack" },
    });
    expect([...decodeMulti(await packed.arrayBuffer())][0]).toMatchObject({
      output: { size: encodeValue(value).length },
    });
  });

  test("[VALUE-4] a large output that cannot be read, or is gone, is one failed result", async () => {
    const server = await startHttpServer();
    const cut = await withLargeOutput(server, encodeValue(Array<number>(300_000).fill(1)).subarray(0, -1));
    expect(await lines(await server.request(`/api/jobs/${cut}/results`))).toMatchObject([
      { state: "failed", seq: 1, index: 0, kind: "unserialisable" },
      { state: "end" },
    ]);
    const { id } = await createJob(server, { inputs: [1], name: "gone" });
    const name = { sha256: "0".repeat(64), size: 300_000 } as never;
    await server.store.touchBlob(name);
    await server.store.claim(id, 1);
    await server.store.complete(id, [{ state: "done", index: 0, output: name, refs: [] }]);
    expect((await lines(await server.request(`/api/jobs/${id}/results`)))[0]).toMatchObject({
      state: "failed",
      index: 0,
      kind: "data",
    });
  });

  test.each(["application/x-ndjson", "application/json", "application/x-msgpack"])(
    "[VALUE-4] a stored output that is no value is one failed result, the others are read: %s",
    async (accept) => {
      const server = await startHttpServer();
      const { id } = await createJob(server, { inputs: [1, 2] });
      await server.store.claim(id, 2);
      const done = (index: number, ...output: number[]) =>
        ({ state: "done", index, output: Uint8Array.from(output), refs: [] }) as const;
      await server.store.complete(id, [done(0, 0xc1), done(1, 7)]);
      const reply = await server.request(`/api/jobs/${id}/results`, { headers: { accept } });
      const bytes = new Uint8Array(await reply.arrayBuffer());
      const text = new TextDecoder().decode(bytes);
      const items = accept.endsWith("msgpack")
        ? [...decodeMulti(bytes)]
        : accept.endsWith("ndjson")
          ? text
              .trim()
              .split("\n")
              .map((line) => JSON.parse(line) as unknown)
          : (JSON.parse(text) as unknown[]);
      expect(items).toMatchObject([
        {
          state: "failed",
          index: 0,
          kind: "unserialisable",
          message: expect.stringContaining("cannot be read"),
        },
        { state: "done", index: 1 },
        { state: "end" },
      ]);
    },
  );

  test.each([
    "after=x",
    "after=-1",
    "after=1.5",
    "after=99999999999999999999",
    "follow=maybe",
    "after=1&after=2",
  ])("?%s is refused", async (query) => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    await refusal(await server.request(`/api/jobs/${id}/results?${query}`), 400, "BAD_REQUEST");
  });
});

describe("reading on", () => {
  test("without follow a running job gives what there is; `after` goes on from there", async () => {
    const server = await startHttpServer();
    server.client();
    const { id } = await createJob(server, { inputs: [1, 2], open: true });
    await eventually(async () =>
      expect(await lines(await server.request(`/api/jobs/${id}/results`))).toHaveLength(2),
    );
    expect(await lines(await server.request(`/api/jobs/${id}/results?after=1`))).toMatchObject([{ seq: 2 }]);
    expect(await lines(await server.request(`/api/jobs/${id}/results?after=2`))).toEqual([]);
    await server.request(`/api/jobs/${id}/close`, { method: "POST" });
    expect(await lines(await server.request(`/api/jobs/${id}/results?after=2`))).toMatchObject([
      { state: "end" },
    ]);
  });

  test("a follower gets each result as it comes, and the end when the job is cancelled", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const response = await open(server, `/api/jobs/${id}/results?follow=1`);
    const until = reader(response);
    const ended = once(response, "end");
    server.client();
    await server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":"first"}'));
    await until('"first"');
    await server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":"second"}'));
    await until('"second"');
    await server.request(`/api/jobs/${id}/cancel`, { method: "POST" });
    await until('"cancelled"');
    await ended;
  });

  test("[FLOW-5] a follower waits where later results were requeued", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server, { maxAttempts: 1, failFast: false });
    const task = (index: number) => ({ index, input: encodeValue(index), refs: [] });
    await server.platform.submit(id, [task(0)]);
    server.client((input) => {
      if (input === 1) throw new Error("not this one");
      return input;
    });
    await eventually(async () => expect((await server.platform.job(id)).counts.done).toBe(1));
    await server.platform.submit(id, [task(1)]);
    await eventually(async () => expect((await server.platform.job(id)).counts.failed).toBe(1));
    await server.platform.pause(id);
    await server.platform.requeueFailed(id);
    const gone = new AbortController();
    let isOver = false;
    const changed = server.platform.resultsChanged(id, 1, gone.signal, 60_000).then(() => (isOver = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    await server.platform.resume(id);
    await eventually(async () =>
      expect(await server.platform.results(id, 1, { items: 9, bytes: 9 })).toHaveLength(1),
    );
    await changed;
    gone.abort();
  });

  test("a follower that goes away leaves nothing behind", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const signals: AbortSignal[] = [];
    const real = server.platform.resultsChanged.bind(server.platform);
    server.platform.resultsChanged = (job, after, signal, atMostMs) => {
      signals.push(signal);
      return real(job, after, signal, atMostMs);
    };
    const response = await open(server, `/api/jobs/${id}/results?follow=1`);
    await eventually(() => expect(signals).toHaveLength(1));
    response.destroy();
    await eventually(() => expect(signals[0]?.aborted).toBe(true));
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  test("a follower whose token is revoked is cut off at the next news", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const response = await open(server, `/api/jobs/${id}/results?follow=1`);
    const token = (await server.access.list()).find(({ role }) => role === "customer");
    await server.access.revoke(token!.id);
    const cut = new Promise((resolve) => response.once("error", resolve));
    let text = "";
    response.on("data", (chunk) => (text += String(chunk)));
    await server.platform.submit(id, [{ index: 0, input: encodeValue("secret"), refs: [] }]);
    server.client();
    expect(String(await cut)).toContain("aborted");
    expect(text).toBe("");
  });

  test("when the server goes down a follower's stream ends without `end`", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const response = await open(
      server,
      `/api/jobs/${id}/results?follow=1`,
      {},
      new Agent({ keepAlive: true }),
    );
    const ended = Promise.all([once(response, "end"), once(response.socket, "close")]);
    let text = "";
    response.on("data", (chunk) => (text += String(chunk)));
    server.stop();
    // The connection ends too, because a server that waited for its reuse would never stop.
    await ended;
    expect(text.trim()).toBe("");
    const refused = await server.request("/api/status");
    expect(refused.headers.get("retry-after")).toBe("2");
    await refusal(refused, 503, "SHUTTING_DOWN");
    const health = await server.request("/healthz");
    expect({ status: health.status, body: await health.json() }).toMatchObject({
      status: 503,
      body: { code: "SHUTTING_DOWN" },
    });
  });

  test("a job deleted under its reader cuts the stream, so that nobody takes it for whole", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const response = await open(server, `/api/jobs/${id}/results?follow=1`);
    const cut = new Promise((resolve) => response.once("error", resolve));
    response.resume();
    await server.request(`/api/jobs/${id}`, { method: "DELETE" });
    expect(String(await cut)).toContain("aborted");
  });
});

test.each([
  ["items", "application/x-msgpack", (reply: Buffer) => [...decodeMulti(reply)].length - 1],
  [
    "packs",
    "application/x-manyhands-results",
    (reply: Buffer) =>
      (frames(new Uint8Array(reply).buffer) as { seqs?: unknown[] }[]).flatMap(({ seqs = [] }) => seqs)
        .length,
  ],
])(
  "[FLOW-2] a reader of %s that stops makes the server no bigger, and gets everything when it goes on",
  async (_, accept, resultsIn) => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const count = 1200;
    const output = encode(new Uint8Array(50_000).fill(7));
    const tasks = Array.from({ length: count }, (_, index) => encode({ index, input: Uint8Array.of(1) }));
    await server.request(`/api/jobs/${id}/tasks`, msgpack(...tasks));
    await server.request(`/api/jobs/${id}/close`, { method: "POST" });
    for (;;) {
      const claimed = await server.store.claim(id, 200);
      if (claimed.length === 0) break;
      const done = claimed.map(({ index }) => ({ state: "done", index, output, refs: [] }) as const);
      await server.store.complete(id, done);
    }
    let pages = 0;
    let served = 0;
    const real = server.platform.results.bind(server.platform);
    server.platform.results = async (job, after, size) => {
      const page = await real(job, after, size);
      pages++;
      served += page.length;
      return page;
    };
    const response = await open(server, `/api/jobs/${id}/results`, { accept });
    response.pause();
    // The reply stalls when the sockets are full: the page count stays the same over many turns of the event loop.
    let before = -1;
    await eventually(() => {
      const stands = before === pages && pages > 0;
      before = pages;
      expect(stands).toBe(true);
    }, 200);
    expect(served).toBeLessThan(count / 2);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    expect(resultsIn(Buffer.concat(chunks))).toBe(count);
  },
);
