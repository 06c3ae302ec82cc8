import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, kernel, ndjson, refusal, sha256 } from "../support/rest.ts";

const text = "0123456789";
const name = sha256(text);

async function started(): Promise<HttpServer> {
  const server = await startHttpServer();
  const put = await server.request(`/api/blobs/${name}`, { method: "PUT", body: text });
  expect(put.status).toBe(201);
  expect(await put.json()).toEqual({ sha256: name, size: 10 });
  return server;
}

const get = (server: HttpServer, headers: Record<string, string> = {}, method = "GET") =>
  server.request(`/api/blobs/${name}`, { method, headers });

describe("reading", () => {
  test("whole, with headers that let it be kept for ever and never be run", async () => {
    const response = await get(await started());
    expect(await response.text()).toBe(text);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: `"${name}"`,
      "cache-control": "private, max-age=31536000, immutable",
      "content-length": "10",
      "accept-ranges": "bytes",
      "content-type": "application/octet-stream",
      "content-disposition": "attachment",
      "x-content-type-options": "nosniff",
    });
  });

  test("HEAD tells the size and sends nothing", async () => {
    const server = await started();
    const response = await get(server, {}, "HEAD");
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([
      200,
      "10",
      "",
    ]);
    const missing = await server.request(`/api/blobs/${"0".repeat(64)}`, { method: "HEAD" });
    expect(missing.status).toBe(404);
  });

  test.each([
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=4-", "456789", "bytes 4-9/10"],
    ["bytes=-2", "89", "bytes 8-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
    ["bytes=9-9", "9", "bytes 9-9/10"],
  ])("Range: %s", async (range, part, contentRange) => {
    const response = await get(await started(), { range });
    expect(response.status).toBe(206);
    expect(response.headers.get("content-range")).toBe(contentRange);
    expect(await response.text()).toBe(part);
  });

  test.each(["bytes=10-", "bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=-0"])(
    "Range: %s is refused",
    async (range) => {
      const response = await get(await started(), { range });
      expect(response.headers.get("content-range")).toBe("bytes */10");
      await refusal(response, 416, "RANGE_NOT_SATISFIABLE");
    },
  );

  test("bytes that the reader has are not sent again; If-Range goes by the name", async () => {
    const server = await started();
    expect((await get(server, { "if-none-match": `"${name}"` })).status).toBe(304);
    expect((await get(server, { "if-none-match": '"other"' })).status).toBe(200);
    expect((await get(server, { range: "bytes=0-1", "if-range": `"${name}"` })).status).toBe(206);
    expect((await get(server, { range: "bytes=0-1", "if-range": '"other"' })).status).toBe(200);
  });

  test("[PROTO-4] kernels are blobs, with ranges too", async () => {
    const server = await startHttpServer();
    const posted = await server.request("/api/kernels", {
      method: "POST",
      body: kernel.source,
      headers: { "content-type": "text/javascript" },
    });
    const { sha256: hash } = (await posted.json()) as { sha256: string };
    const job = await createJob(server, { kernel: hash });
    await server.request(`/api/jobs/${job.id}/tasks`, ndjson('{"input":1}'));
    const client = server.client(undefined, { answering: false });
    const { ticket } = client;
    await eventually(() => expect(client.held).toHaveLength(1));
    expect(await (await server.request(`/api/blobs/${hash}`, { token: ticket })).text()).toBe(kernel.source);
    const part = await server.request(`/api/blobs/${hash}`, {
      token: ticket,
      headers: { range: "bytes=0-5" },
    });
    expect([part.status, await part.text()]).toEqual([206, "export"]);
  });

  test("a reader that leaves in the middle is no error", async () => {
    const server = await startHttpServer();
    const big = Buffer.alloc(30_000_000, 5);
    const hash = sha256(big);
    await server.request(`/api/blobs/${hash}`, { method: "PUT", body: big });
    const gone = new AbortController();
    const response = await server.request(`/api/blobs/${hash}`, { signal: gone.signal });
    await response.body!.getReader().read();
    gone.abort();
    expect((await server.request(`/api/blobs/${hash}`, { method: "HEAD" })).status).toBe(200);
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

describe("writing", () => {
  test("again is no work; the reply says so", async () => {
    const server = await started();
    const again = await server.request(`/api/blobs/${name}`, { method: "PUT", body: text });
    expect([again.status, await again.json()]).toEqual([200, { sha256: name, size: 10 }]);
  });

  test("an empty blob is a blob", async () => {
    const server = await startHttpServer();
    const path = `/api/blobs/${sha256("")}`;
    expect((await server.request(path, { method: "PUT" })).status).toBe(201);
    const response = await server.request(path);
    expect([response.status, await response.text()]).toEqual([200, ""]);
    await refusal(
      await server.request(path, { headers: { range: "bytes=0-0" } }),
      416,
      "RANGE_NOT_SATISFIABLE",
    );
  });

  test("[DATA-1] other bytes than the name says are refused and not kept", async () => {
    const server = await startHttpServer();
    const put = await server.request(`/api/blobs/${name}`, { method: "PUT", body: "something else" });
    await refusal(put, 422, "HASH_MISMATCH");
    await refusal(await get(server), 404, "NOT_FOUND");
  });

  test("an upload that breaks off leaves nothing, and logs no error", async () => {
    const server = await startHttpServer();
    const upload = request(`${server.url}/api/blobs/${name}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.tokens.customer}`, "content-length": 10 },
    });
    upload.on("error", () => undefined);
    upload.write("01234");
    await once(upload, "socket");
    setImmediate(() => upload.destroy());
    await eventually(() =>
      expect(server.logged).toContainEqual(expect.objectContaining({ msg: "request refused" })),
    );
    await refusal(await get(server), 404, "NOT_FOUND");
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  test("beyond the quota is refused at once, by the announced size", async () => {
    const server = await startHttpServer({ blobQuotaBytes: 1000, customerQuotaBytes: 10_000 });
    const body = Buffer.alloc(2000);
    const put = await server.request(`/api/blobs/${sha256(body)}`, { method: "PUT", body });
    await refusal(put, 507, "STORE_FULL");
  });

  test("a refused upload can read its refusal although it goes on sending", async () => {
    const server = await startHttpServer();
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.write(`PUT /api/blobs/${name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n`);
    let reply = "";
    socket.on("data", (chunk) => (reply += String(chunk)));
    for (let i = 0; i < 50; i++) socket.write(Buffer.alloc(100_000));
    await eventually(() => expect(reply).toContain("UNAUTHENTICATED"));
    expect(reply).toMatch(/^HTTP\/1.1 401/);
    socket.destroy();
  });

  test.each([
    [`/api/blobs/${name.toUpperCase()}`, 400],
    [`/api/blobs/${name.slice(1)}`, 400],
    [`/api/blobs/..%2f..%2fetc%2fpasswd`, 400],
    [`/api/blobs/${name}/more`, 404],
  ])("to %s is refused", async (path, status) => {
    const server = await startHttpServer();
    const response = await server.request(path, { method: "PUT", body: text });
    expect(response.status).toBe(status);
  });
});
