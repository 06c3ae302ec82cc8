import { decode, encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { encodeValue, encodeWithReferences } from "../../shared/wire/codec.ts";
import { DataReference } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { servedJsonElements } from "../../shared/wire/json-text.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { startHttpServer } from "../support/http-server.ts";
import { createJob, json, kernel, lines, msgpack, ndjson, refusal, sha256 } from "../support/rest.ts";

describe("making jobs", () => {
  test("with inputs inline: the job is closed, computed, and read back in order", async () => {
    const server = await startHttpServer();
    server.client((x) => (x as number) ** 2);
    const response = await server.request("/api/jobs", json({ kernel, name: "squares", inputs: [1, 2, 3] }));
    const job = (await response.json()) as JobInfo;
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(`/api/jobs/${job.id}`);
    expect(job).toMatchObject({ name: "squares", customer: "ada", counts: { total: 3 } });
    const results = await lines(await server.request(`/api/jobs/${job.id}/results?follow=1`));
    expect(results.slice(0, 3).map((line) => line.state === "done" && [line.seq, line.output])).toEqual([
      [1, 1],
      [2, 4],
      [3, 9],
    ]);
    expect(results[3]).toMatchObject({ state: "end", job: "finished", counts: { done: 3 } });
  });

  test("may be repeated with a key: also after the job has ended", async () => {
    const server = await startHttpServer();
    const body = json({ kernel, key: "run 7", inputs: [1, 2] });
    const first = await server.request("/api/jobs", body);
    const { id } = (await first.json()) as JobInfo;
    server.client();
    await lines(await server.request(`/api/jobs/${id}/results?follow=1`));
    const again = await server.request("/api/jobs", body);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(await again.json()).toMatchObject({ id, state: "finished", counts: { total: 2, done: 2 } });
    const other = await server.request("/api/jobs", json({ kernel, key: "run 7", inputs: [1, 3] }));
    await refusal(other, 409, "CONFLICT");
    const otherKernel = { source: "export default () => 1" };
    await refusal(
      await server.request("/api/jobs", json({ kernel: otherKernel, key: "run 7" })),
      409,
      "CONFLICT",
    );
  });

  test("stay open when asked to, and without inputs", async () => {
    const server = await startHttpServer();
    expect(await createJob(server, { inputs: [1], open: true })).toMatchObject({
      state: "open",
      counts: { total: 1 },
    });
    expect(await createJob(server)).toMatchObject({ state: "open", counts: { total: 0 } });
  });

  test("in MessagePack, answered in MessagePack", async () => {
    const server = await startHttpServer();
    const body = Buffer.from(encode({ kernel, name: "packed", priority: 7 }));
    const type = "application/x-msgpack";
    const response = await server.request("/api/jobs", {
      method: "POST",
      body,
      headers: { "content-type": type, accept: type },
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("content-type")).toMatch("application/x-msgpack");
    expect(decode(await response.arrayBuffer())).toMatchObject({ name: "packed", priority: 7 });
  });

  test("with a kernel that is not here is refused", async () => {
    const server = await startHttpServer();
    await refusal(await server.request("/api/jobs", json({ kernel: "0".repeat(64) })), 422, "UNKNOWN_KERNEL");
  });
});

describe("submitting tasks", () => {
  const post = (server: Awaited<ReturnType<typeof startHttpServer>>, id: string, init: RequestInit) =>
    server.request(`/api/jobs/${id}/tasks`, init);

  test("as NDJSON: numbered on, blank lines skipped, forms for what JSON lacks", async () => {
    const server = await startHttpServer();
    const seen: unknown[] = [];
    const { id } = await createJob(server);
    const text = '{"input":1}\n\n{"input":{"$bytes":"AQID"},"index":5}\r\n{"input":{"$number":"NaN"}}';
    expect(await (await post(server, id, ndjson(text))).json()).toEqual({ added: 3, repeated: 0, total: 3 });
    expect(await (await post(server, id, ndjson('{"index":0,"input":1}'))).json()).toEqual({
      added: 0,
      repeated: 1,
      total: 3,
    });
    await server.request(`/api/jobs/${id}/close`, { method: "POST" });
    server.client((input, index) => {
      seen.push([index, input]);
      return input;
    });
    const results = await lines(await server.request(`/api/jobs/${id}/results?follow=1`));
    expect(seen).toEqual([
      [0, 1],
      [5, Uint8Array.of(1, 2, 3)],
      [6, NaN],
    ]);
    expect(results.map((line) => line.state === "done" && line.output)).toEqual([
      1,
      { $bytes: "AQID" },
      { $number: "NaN" },
      false,
    ]);
  });

  test("as one JSON array, and as nothing at all", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const body = json([{ input: "a" }, { index: 9, input: "b" }]);
    expect(await (await post(server, id, body)).json()).toEqual({ added: 2, repeated: 0, total: 2 });
    expect(await (await post(server, id, ndjson(""))).json()).toEqual({ added: 0, repeated: 0, total: 2 });
    await refusal(await post(server, id, json({ input: 1 })), 400, "BAD_REQUEST");
  });

  test("as MessagePack: bytes pass through untouched", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    // A careful encoder writes two in one byte.
    const odd = Uint8Array.of(0xcd, 0, 2);
    const items = [encode({ index: 0, input: odd }), encode({ index: 1, input: encodeValue([1, 2]) })];
    expect(await (await post(server, id, msgpack(...items))).json()).toMatchObject({ added: 2 });
    const again = await post(server, id, msgpack(...items));
    expect(await again.json()).toEqual({ added: 0, repeated: 2, total: 2 });
    const other = await post(server, id, msgpack(encode({ index: 0, input: Uint8Array.of(0xcd, 0, 3) })));
    await refusal(other, 409, "CONFLICT");
    expect(await server.store.claim(id, 1)).toMatchObject([{ index: 0, input: odd, refs: [] }]);
  });

  test("a broken line is named, and the lines before it stay", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const good = Array.from({ length: 1500 }, (_, i) => `{"input":${i}}`).join("\n");
    const message = await refusal(
      await post(server, id, ndjson(`${good}\n{"input":}\n{"input":1}`)),
      400,
      "BAD_REQUEST",
    );
    expect(message).toContain("Line 1501");
    expect(message).toContain("1500 new");
    expect(await (await server.request(`/api/jobs/${id}`)).json()).toMatchObject({ counts: { total: 1500 } });
  });

  test.each([
    ["no JSON", "nonsense", "Line 2", "BAD_REQUEST", 400],
    ["no task", '{"value":1}', "Line 2", "BAD_REQUEST", 400],
    ["negative index", '{"index":-1,"input":1}', "Line 2", "BAD_REQUEST", 400],
    ["broken form", '{"input":{"$array":"Float128Array","base64":""}}', "Line 2", "BAD_REQUEST", 400],
    ["too deep", `{"input":${"[".repeat(5000)}${"]".repeat(5000)}}`, "Line 2", "UNSERIALISABLE", 422],
    ["other input", '{"index":0,"input":2}', "Task 0", "CONFLICT", 409],
    ["missing blob", `{"input":{"$ref":{"sha256":"${"0".repeat(64)}","size":3}}}`, "", "UNKNOWN_BLOB", 422],
  ] as const)("a line with %s is refused in words", async (_, line, part, code, status) => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const message = await refusal(await post(server, id, ndjson(`{"input":1}\n${line}\n`)), status, code);
    expect(message).toContain(part);
  });

  test.each([
    ["no map", encode(7), "BAD_REQUEST", 400],
    ["no index", encode({ input: Uint8Array.of(1) }), "BAD_REQUEST", 400],
    ["a value instead of bytes", encode({ index: 0, input: { x: 1 } }), "BAD_REQUEST", 400],
    ["half an item", encode({ index: 0, input: new Uint8Array(50) }).subarray(0, 40), "BAD_REQUEST", 400],
    [
      "an input that should be a blob",
      encode({ index: 0, input: new Uint8Array(limits.inlineValueBytes + 1) }),
      "TOO_LARGE",
      413,
    ],
  ] as const)("an item with %s is refused in words", async (_, item, code, status) => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const first = encode({ index: 5, input: Uint8Array.of(1) });
    const message = await refusal(await post(server, id, msgpack(first, item)), status, code);
    expect(message).toContain("Item 2");
    expect(message).toContain("1 new");
  });

  test("[QUOTA-5] a line with more elements than a frame may have is refused; as many are taken", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    // The line itself has two names and two values, the second of which is the array.
    const line = (numbers: number): string => `{"index":0,"input":[${"1,".repeat(numbers - 1)}1]}`;
    const most = servedJsonElements - 4;
    const message = await refusal(await post(server, id, ndjson(line(most + 1))), 413, "TOO_LARGE");
    expect(message).toContain(
      `Line 1: The line is too large: containers hold more than ${servedJsonElements}`,
    );
    expect((await post(server, id, ndjson(line(most)))).status).toBe(200);
  });

  test.each([
    ["names", `{${Array.from({ length: 350_000 }, (_, at) => `"k${at}":1`).join(",")}}`],
    ["objects", `[${"{},".repeat(700_000)}{}]`],
    ["brackets", "[".repeat(700_000)],
  ])("[QUOTA-5] %s beyond the bound are refused at every door that takes JSON", async (_, text) => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const body = (content: string): RequestInit => ({ ...json(null), body: content });
    const answers = [
      await server.request("/api/jobs", body(text)),
      await server.request(
        "/api/jobs",
        body(`{"kernel":{"source":"export default x => x"},"inputs":[${text}]}`),
      ),
      await post(server, id, body(`[{"input":${text}}]`)),
      await post(server, id, ndjson(`{"input":${text}}`)),
      await server.request(`/api/jobs/${id}/priority`, body(text)),
      await server.request("/api/precache", body(text)),
      await server.request("/api/tokens", { ...body(text), token: server.tokens.admin }),
    ];
    for (const answer of answers) await refusal(answer, 413, "TOO_LARGE");
  });

  test("[DATA-2] a large JSON input becomes a blob that the task refers to", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const input = "x".repeat(limits.inlineValueBytes);
    expect((await post(server, id, ndjson(JSON.stringify({ input })))).status).toBe(200);
    const { bytes } = encodeWithReferences(input);
    const name = { sha256: sha256(bytes), size: bytes.length };
    const [task] = await server.store.claim(id, 1);
    expect(task).toMatchObject({ input: name, refs: [name] });
    const blob = await server.request(`/api/blobs/${name.sha256}`);
    expect(Buffer.from(await blob.arrayBuffer()).equals(bytes)).toBe(true);
  });

  test("data references of an input are kept with the task", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const sha = sha256("data") as Sha256;
    await server.request(`/api/blobs/${sha}`, { method: "PUT", body: "data" });
    const input = { volume: { $ref: new DataReference(sha, 4, [1, 3]).toJSON() } };
    expect((await post(server, id, json([{ input }]))).status).toBe(200);
    expect((await server.store.claim(id, 1))[0]?.refs).toEqual([{ sha256: sha, size: 4 }]);
  });

  test("waits for the store: of a fast sender only a little is under way", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const total = 1200;
    let sent = 0;
    let stored = 0;
    let mostUnderWay = 0;
    const real = server.platform.submit.bind(server.platform);
    server.platform.submit = async (job, tasks) => {
      mostUnderWay = Math.max(mostUnderWay, sent - stored);
      const submitted = await real(job, tasks);
      stored += tasks.length;
      return submitted;
    };
    const block = Buffer.from(`{"input":"${"y".repeat(50_000)}"}\n`);
    async function* body(): AsyncGenerator<Uint8Array> {
      for (; sent < total; sent++) yield block;
    }
    const stream = {
      ...ndjson(""),
      body: ReadableStream.from(body()),
      duplex: "half",
    } as unknown as RequestInit;
    expect(await (await post(server, id, stream)).json()).toMatchObject({ added: total });
    // A batch and the sockets' buffers, not the 60 MB of the whole stream.
    expect(mostUnderWay).toBeLessThan(total / 3);
  });
});

describe("steering jobs", () => {
  test("[QUOTA-6] priorities above 100 are the administrator's", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const give = (priority: number, token = server.tokens.customer): Promise<Response> =>
      server.request(`/api/jobs/${id}/priority`, { ...json({ priority }), token });
    for (const refused of [
      await give(101),
      await server.request("/api/jobs", json({ kernel, priority: 101 })),
    ])
      expect(await refusal(refused, 403, "FORBIDDEN")).toContain("up to 100");
    expect(await (await give(100)).json()).toMatchObject({ priority: 100 });
    expect(await (await give(1000, server.tokens.admin)).json()).toMatchObject({ priority: 1000 });
    const urgent = { ...json({ kernel, priority: 1000 }), token: server.tokens.admin };
    expect(await (await server.request("/api/jobs", urgent)).json()).toMatchObject({ priority: 1000 });
  });

  test("pause, resume, priority, close, cancel, delete", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server, { inputs: [1, 2], open: true });
    const verb = async (name: string, init: RequestInit = { method: "POST" }): Promise<JobInfo> => {
      const response = await server.request(`/api/jobs/${id}/${name}`, init);
      expect(response.status).toBe(200);
      return (await response.json()) as JobInfo;
    };
    expect(await verb("pause")).toMatchObject({ paused: true });
    expect(await verb("resume")).toMatchObject({ paused: false });
    expect(await verb("priority", json({ priority: 9 }))).toMatchObject({ priority: 9 });
    await refusal(
      await server.request(`/api/jobs/${id}/priority`, json({ priority: 1e9 })),
      400,
      "BAD_REQUEST",
    );
    expect(await verb("close")).toMatchObject({ state: "closed" });
    const late = await server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":3}'));
    await refusal(late, 409, "WRONG_STATE");
    expect(await verb("cancel")).toMatchObject({ state: "cancelled", counts: { cancelled: 2 } });
    expect((await server.request(`/api/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
    await refusal(await server.request(`/api/jobs/${id}`), 404, "NOT_FOUND");
  });

  test("[ONCE-2] the last tasks may close their job; repeating them changes nothing, and other ones are refused", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const send = (query: string, body: string) =>
      server.request(`/api/jobs/${id}/tasks${query}`, ndjson(body));
    await refusal(await send("?close=maybe", '{"input":0}'), 400, "BAD_REQUEST");
    expect(await (await send("", '{"input":1}')).json()).toMatchObject({ added: 1 });
    const last = '{"index":1,"input":2}';
    expect(await (await send("?close=1", last)).json()).toMatchObject({ added: 1, total: 2 });
    const job = async () => (await (await server.request(`/api/jobs/${id}`)).json()) as JobInfo;
    expect(await job()).toMatchObject({ state: "closed" });
    expect(await (await send("?close=1", last)).json()).toMatchObject({ added: 0, repeated: 1, total: 2 });
    await refusal(await send("?close=1", '{"index":2,"input":3}'), 409, "WRONG_STATE");
    server.client();
    await lines(await server.request(`/api/jobs/${id}/results?follow=1`));
    expect(await (await send("?close=1", last)).json()).toMatchObject({ repeated: 1 });
    expect(await job()).toMatchObject({ state: "finished" });
  });

  test("failures carry the kernel's message and can be requeued; logs are kept", async () => {
    const server = await startHttpServer();
    let healthy = false;
    let id = "";
    const client = server.client((x) => {
      client.log(id as JobInfo["id"], 0, "iteration 7");
      if (!healthy) throw new Error("no convergence");
      return x;
    });
    const job = await createJob(server, { maxAttempts: 1 });
    id = job.id;
    await server.request(`/api/jobs/${job.id}/tasks`, ndjson('{"index":0,"input":1}'));
    await server.request(`/api/jobs/${job.id}/close`, { method: "POST" });
    const failed = await lines(await server.request(`/api/jobs/${job.id}/results?follow=1`));
    expect(failed[0]).toMatchObject({ state: "failed", index: 0, kind: "error", stack: "at kernel.js:1" });
    const logs = await server.request(`/api/jobs/${job.id}/logs`);
    expect(await logs.json()).toMatchObject([{ index: 0, line: "iteration 7" }]);
    healthy = true;
    const requeued = await server.request(`/api/jobs/${job.id}/requeue-failed`, { method: "POST" });
    expect(await requeued.json()).toMatchObject({ requeued: 1 });
    const after = (failed[0] as { seq: number }).seq;
    const done = await lines(await server.request(`/api/jobs/${job.id}/results?follow=1&after=${after}`));
    expect(done).toMatchObject([{ state: "done", output: 1 }, { state: "end" }]);
  });

  test("of other customers do not exist; an admin sees all", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server, { inputs: [1] });
    const { secret } = await server.access.createToken({ role: "customer", name: "eve" });
    const asEve = (path: string, init: RequestInit = {}) => server.request(path, { ...init, token: secret });
    expect(await (await asEve("/api/jobs")).json()).toEqual([]);
    for (const path of ["", "/results", "/logs"])
      await refusal(await asEve(`/api/jobs/${id}${path}`), 404, "NOT_FOUND");
    for (const name of ["close", "pause", "resume", "cancel", "requeue-failed"])
      await refusal(await asEve(`/api/jobs/${id}/${name}`, { method: "POST" }), 404, "NOT_FOUND");
    await refusal(await asEve(`/api/jobs/${id}/priority`, json({ priority: 1 })), 404, "NOT_FOUND");
    await refusal(await asEve(`/api/jobs/${id}/tasks`, ndjson('{"input":1}')), 404, "NOT_FOUND");
    await refusal(await asEve(`/api/jobs/${id}`, { method: "DELETE" }), 404, "NOT_FOUND");
    const all = (await (
      await server.request("/api/jobs", { token: server.tokens.admin })
    ).json()) as JobInfo[];
    expect(all.map((job) => job.id)).toEqual([id]);
    // The same key of another customer names another job.
    const body = json({ kernel, key: "k" });
    const [mine, hers] = [await server.request("/api/jobs", body), await asEve("/api/jobs", body)];
    expect(((await mine.json()) as JobInfo).id).not.toBe(((await hers.json()) as JobInfo).id);
  });
});
