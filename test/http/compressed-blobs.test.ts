import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { get, request, type ClientRequest, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { limits } from "../../shared/limits.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, kernel, ndjson, refusal, sha256 } from "../support/rest.ts";

/** Lines of text, about so many bytes. */
function textOf(bytes: number, about = "image"): Buffer {
  const lines = Array.from({ length: Math.ceil(bytes / 25) }, (_, at) => `particle ${at} of ${about}`);
  return Buffer.from(lines.join("\n"));
}

const text = textOf(1_000_000);
const pathOf = (bytes: Uint8Array): string => `/api/blobs/${sha256(Buffer.from(bytes))}`;
const path = pathOf(text);
const gzip = { "accept-encoding": "gzip" };

async function started(...blobs: Uint8Array[]): Promise<HttpServer> {
  const server = await startHttpServer();
  for (const body of blobs)
    expect((await server.request(pathOf(body), { method: "PUT", body: Buffer.from(body) })).status).toBe(201);
  return server;
}

/** The reply as it comes over the wire. */
async function open(
  server: HttpServer,
  url: string,
  headers: Record<string, string> = gzip,
  token = server.tokens.customer,
): Promise<IncomingMessage> {
  const all = { authorization: `Bearer ${token}`, ...headers };
  const sent = get(`${server.url}${url}`, { headers: all, agent: false });
  onTestFinished(() => void sent.destroy());
  const [reply] = (await once(sent, "response")) as [IncomingMessage];
  return reply;
}

describe("[MILES-9] a blob", () => {
  test("comes compressed to who asks for that", async () => {
    const server = await started(text);
    const reply = await open(server, path);
    expect(reply.headers).toMatchObject({
      "content-encoding": "gzip",
      etag: `W/"${sha256(text)}"`,
      "accept-ranges": "bytes",
    });
    expect(reply.headers["vary"]).toContain("Accept-Encoding");
    expect(reply.headers["content-length"]).toBeUndefined();
    const compressed = await buffer(reply);
    expect(compressed.length).toBeLessThan(text.length / 3);
    expect(gunzipSync(compressed).equals(text)).toBe(true);
    for (const encoding of ["identity", "gzip;q=0", "br"]) {
      const plain = await open(server, path, { "accept-encoding": encoding });
      expect(plain.headers["content-encoding"]).toBeUndefined();
      expect(plain.headers["content-length"]).toBe(String(text.length));
      expect((await buffer(plain)).equals(text)).toBe(true);
    }
  });

  test("comes as it is in ranges, also behind the first bytes of a compressed one", async () => {
    const server = await started(text);
    const part = await open(server, path, { ...gzip, range: "bytes=500000-" });
    expect([part.statusCode, part.headers["content-encoding"]]).toEqual([206, undefined]);
    expect((await buffer(part)).equals(text.subarray(500_000))).toBe(true);
    const strong = await open(server, path, { ...gzip, range: "bytes=5-8", "if-range": `"${sha256(text)}"` });
    expect(strong.statusCode).toBe(206);
    const weak = await open(server, path, { ...gzip, range: "bytes=5-8", "if-range": `W/"${sha256(text)}"` });
    expect([weak.statusCode, weak.headers["content-encoding"]]).toEqual([200, "gzip"]);
    const known = await open(server, path, { ...gzip, "if-none-match": `W/"${sha256(text)}"` });
    expect(known.statusCode).toBe(304);
  });

  test("comes as it is when its first bytes do not shrink, or are few", async () => {
    const [noise, short] = [randomBytes(300_000), textOf(5000)];
    const server = await started(noise, short);
    for (const bytes of [noise, short]) {
      const reply = await open(server, pathOf(bytes));
      expect(reply.headers["content-encoding"]).toBeUndefined();
      expect(reply.headers["content-length"]).toBe(String(bytes.length));
      expect((await buffer(reply)).equals(bytes)).toBe(true);
    }
  });

  test("comes compressed to a client that says it in its address, too, as kernels do", async () => {
    const server = await startHttpServer();
    const source = `${kernel.source}\n/* ${textOf(100_000).toString()} */`;
    const headers = { "content-type": "text/javascript" };
    const posted = await server.request("/api/kernels", { method: "POST", body: source, headers });
    const { sha256: hash } = (await posted.json()) as { sha256: string };
    const job = await createJob(server, { kernel: hash });
    await server.request(`/api/jobs/${job.id}/tasks`, ndjson('{"input":1}'));
    const client = server.client(undefined, { answering: false });
    await eventually(() => expect(client.held).toHaveLength(1));
    const plain = await open(server, `/api/blobs/${hash}`, gzip, client.ticket);
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect((await buffer(plain)).toString()).toBe(source);
    const reply = await open(server, `/api/blobs/${hash}?gzip=1`, gzip, client.ticket);
    expect(reply.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(await buffer(reply)).toString()).toBe(source);
  });

  test("comes as it is while eight others are being compressed; readers that leave make room", async () => {
    // The buffers of the system do not take it all.
    const long = Buffer.from(randomBytes(20_000_000).toString("hex"));
    const server = await started(long, text);
    const readers = await Promise.all(Array.from({ length: 8 }, () => open(server, pathOf(long))));
    expect(readers.map(({ headers }) => headers["content-encoding"])).toEqual(Array(8).fill("gzip"));
    const ninth = await open(server, path);
    expect(ninth.headers["content-encoding"]).toBeUndefined();
    expect((await buffer(ninth)).equals(text)).toBe(true);
    for (const reader of readers) reader.destroy();
    await eventually(async () => {
      const reply = await open(server, path);
      reply.resume();
      expect(reply.headers["content-encoding"]).toBe("gzip");
    });
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

interface Stretch {
  readonly size?: number;
  readonly from?: number;
  readonly isLast?: boolean;
  readonly bodyBytes?: number;
  readonly encoding?: string;
}

/** Begins a request of the upload of `bytes`, for a compressed body. */
function begin(
  server: HttpServer,
  bytes: Uint8Array,
  { size = bytes.length, from = 0, isLast = true, bodyBytes, encoding = "gzip" }: Stretch = {},
): ClientRequest {
  const sent = request(`${server.url}${pathOf(bytes)}${from > 0 ? "/upload" : ""}`, {
    method: from > 0 ? "PATCH" : "PUT",
    agent: false,
    headers: {
      authorization: `Bearer ${server.tokens.customer}`,
      "content-encoding": encoding,
      "upload-complete": isLast ? "?1" : "?0",
      "upload-length": size,
      ...(bodyBytes !== undefined && { "content-length": bodyBytes }),
      ...(from > 0 && { "upload-offset": from }),
    },
  });
  sent.on("error", () => undefined);
  onTestFinished(() => void sent.destroy());
  return sent;
}

/** Sends the first half of a compressed blob. */
async function halfSent(server: HttpServer): Promise<{ bytes: Uint8Array; sent: ClientRequest }> {
  const bytes = Buffer.from(randomBytes(500_000).toString("hex"));
  const body = gzipSync(bytes);
  const sent = begin(server, bytes, { bodyBytes: body.length });
  await new Promise<void>((resolve) => sent.write(body.subarray(0, body.length / 2), () => resolve()));
  return { bytes, sent };
}

async function send(server: HttpServer, bytes: Uint8Array, body: Uint8Array, stretch: Stretch = {}) {
  const sent = begin(server, bytes, { ...stretch, bodyBytes: body.length });
  sent.end(body);
  const [reply] = (await once(sent, "response")) as [IncomingMessage];
  const told = (await buffer(reply)).toString();
  return { status: reply.statusCode, headers: reply.headers, told };
}

async function offsetOf(server: HttpServer, bytes: Uint8Array): Promise<number> {
  const reply = await server.request(`${pathOf(bytes)}/upload`, { method: "HEAD" });
  return Number(reply.headers.get("upload-offset"));
}

const isThere = async (server: HttpServer, bytes: Uint8Array): Promise<boolean> => {
  const reply = await server.request(pathOf(bytes));
  return reply.ok && Buffer.from(await reply.arrayBuffer()).equals(bytes);
};

describe("[MILES-9] an upload that comes compressed", () => {
  test("is the blob of its inflated bytes, in pieces of either kind", async () => {
    const server = await startHttpServer();
    const first = await send(server, text, gzipSync(text.subarray(0, 400_000)), { isLast: false });
    expect(first).toMatchObject({
      status: 204,
      headers: { "upload-offset": "400000", "accept-encoding": "gzip" },
    });
    const second = await send(server, text, text.subarray(400_000, 500_000), {
      from: 400_000,
      isLast: false,
      encoding: "identity",
    });
    expect(second).toMatchObject({ status: 204, headers: { "upload-offset": "500000" } });
    const body = gzipSync(text.subarray(500_000));
    expect(body.length).toBeLessThan(200_000);
    expect(await send(server, text, body, { from: 500_000 })).toMatchObject({ status: 201 });
    expect(await isThere(server, text)).toBe(true);
    // A blob that its sender has put before is answered with 200.
    expect(await send(server, text, gzipSync(text))).toMatchObject({ status: 200 });
  });

  test("[TRANSFER-2] goes on behind the inflated bytes that came before a cut", async () => {
    const server = await startHttpServer();
    const { bytes, sent } = await halfSent(server);
    // The end of the connection follows the bytes.
    const closed = new Promise((resolve) => sent.once("close", resolve));
    sent.socket?.end();
    await closed;
    // A question before the server has seen the end would cut the upload before its bytes are inflated.
    await eventually(() =>
      expect(server.logged).toContainEqual(expect.objectContaining({ msg: "request refused" })),
    );
    const offset = await offsetOf(server, bytes);
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThan(bytes.length);
    expect(await send(server, bytes, gzipSync(bytes.subarray(offset)), { from: offset })).toMatchObject({
      status: 201,
    });
    expect(await isThere(server, bytes)).toBe(true);
  });

  test("[TRANSFER-2] goes on over another connection while the first stands still", async () => {
    const server = await startHttpServer();
    const { bytes, sent } = await halfSent(server);
    const closed = new Promise((resolve) => sent.once("close", resolve));
    // The question cuts the upload.
    const offset = await offsetOf(server, bytes);
    expect(await send(server, bytes, gzipSync(bytes.subarray(offset)), { from: offset })).toMatchObject({
      status: 201,
    });
    expect(await isThere(server, bytes)).toBe(true);
    await closed;
  });

  test("is refused where it inflates beyond what was announced, in the memory of a plain one", async () => {
    const server = await startHttpServer();
    const bomb = gzipSync(Buffer.alloc(20 * limits.bodyBytes));
    const before = process.memoryUsage().rss;
    const refused = await send(server, text, bomb);
    expect(refused.status).toBe(422);
    expect(refused.told).toContain(`more than the ${text.length} bytes that were announced`);
    expect(process.memoryUsage().rss - before).toBeLessThan(8 * limits.bodyBytes);
    expect([await offsetOf(server, text), await isThere(server, text)]).toEqual([0, false]);
    // Of several streams one after another the sum counts.
    const many = Buffer.concat([gzipSync(text), gzipSync(text)]);
    expect((await send(server, text, many)).status).toBe(422);
    expect(await isThere(server, text)).toBe(false);
  });

  test.each<[string, Buffer, number]>([
    ["is no gzip at all", text, 400],
    ["is damaged at its end", damagedAt(gzipSync(text), -6), 400],
    ["ends too early", gzipSync(text).subarray(0, -20), 400],
    ["is empty", Buffer.alloc(0), 400],
    ["has fewer bytes than announced", gzipSync(text.subarray(1)), 422],
    ["has other bytes", gzipSync(textOf(1_000_000, "other")), 422],
  ])("that %s is refused, and the server goes on", async (_what, body, status) => {
    const server = await startHttpServer();
    expect((await send(server, text, body)).status).toBe(status);
    expect(await isThere(server, text)).toBe(false);
    const offset = await offsetOf(server, text);
    expect((await send(server, text, gzipSync(text.subarray(offset)), { from: offset })).status).toBe(201);
    expect(await isThere(server, text)).toBe(true);
  });

  test("is refused as a plain PUT, and in other encodings", async () => {
    const server = await startHttpServer();
    const put = { method: "PUT", headers: { "content-encoding": "gzip" }, body: gzipSync(text) };
    const plain = await server.request(path, put);
    expect(plain.headers.get("accept-encoding")).toBe("gzip");
    await refusal(plain, 415, "UNSUPPORTED_TYPE");
    expect((await send(server, text, text, { encoding: "zstd" })).status).toBe(415);
    const headers = { "content-encoding": "gzip", "upload-complete": "?1" };
    await refusal(await server.request(path, { ...put, headers }), 400, "BAD_REQUEST");
    expect(await isThere(server, text)).toBe(false);
  });
});

function damagedAt(bytes: Buffer, at: number): Buffer {
  bytes[bytes.length + at]! ^= 1;
  return bytes;
}
