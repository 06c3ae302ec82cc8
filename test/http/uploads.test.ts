import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, ndjson, refusal, sha256 } from "../support/rest.ts";

const bytes = randomBytes(1_000_000);
const name = sha256(bytes);
const path = `/api/blobs/${name}`;

/** Sends `[from, to)` of the upload and cuts the connection. */
async function cut(server: HttpServer, [from, to]: [number, number], token: string): Promise<void> {
  const sent = request(`${server.url}${from === 0 ? path : `${path}/upload`}`, {
    method: from === 0 ? "PUT" : "PATCH",
    headers: {
      authorization: `Bearer ${token}`,
      "upload-complete": "?1",
      "content-length": bytes.length - from,
      ...(from > 0 && { "upload-offset": from }),
    },
  });
  sent.on("error", () => undefined);
  const closed = new Promise((resolve) => sent.on("close", resolve));
  await new Promise<void>((resolve) => sent.write(bytes.subarray(from, to), () => resolve()));
  // The end of the connection follows the bytes.
  sent.socket?.end();
  await closed;
}

const offsetOf = async (server: HttpServer, token?: string): Promise<string | null> =>
  (
    await server.request(`${path}/upload`, { method: "HEAD", ...(token !== undefined && { token }) })
  ).headers.get("upload-offset");
const goOn = (server: HttpServer, from: number, headers: Record<string, string> = {}): Promise<Response> =>
  server.request(`${path}/upload`, {
    method: "PATCH",
    headers: {
      "upload-complete": "?1",
      "upload-offset": String(from),
      "content-type": "application/partial-upload",
      ...headers,
    },
    body: bytes.subarray(from),
  });

describe("[TRANSFER-2] an upload goes on behind the last byte that the server has", () => {
  test("after a cut connection, with the same bytes only", async () => {
    const server = await startHttpServer();
    await cut(server, [0, 600_000], server.tokens.customer);
    // Bytes that the server had not read when it was asked are lost.
    const first = Number(await offsetOf(server));
    expect(first).toBeGreaterThan(0);
    const wrong = await goOn(server, first - 1);
    expect(wrong.headers.get("upload-offset")).toBe(String(first));
    await refusal(wrong, 409, "CONFLICT");
    await cut(server, [first, 800_000], server.tokens.customer);
    const second = Number(await offsetOf(server));
    expect(second).toBeGreaterThan(first);
    const done = await goOn(server, second);
    expect([done.status, await done.json()]).toEqual([201, { sha256: name, size: bytes.length }]);
    const got = await server.request(path);
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
    const after = await server.request(`${path}/upload`, { method: "HEAD" });
    expect([after.status, after.headers.get("upload-complete"), after.headers.get("upload-offset")]).toEqual([
      204,
      "?1",
      String(bytes.length),
    ]);
  });

  test("[READ-1] others see nothing of it", async () => {
    const server = await startHttpServer();
    await cut(server, [0, 600_000], server.tokens.customer);
    for (const token of [server.tokens.admin, server.client().ticket])
      expect(await offsetOf(server, token)).toBe("0");
    expect((await server.request(path)).status).toBe(404);
  });

  test("[QUOTA-4] a partial upload of a volunteer counts in its full size", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server, { memoryMb: 16 });
    await server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":1}'));
    const client = server.client(undefined, { trusted: false, answering: false, want: 1 });
    await eventually(() => expect(client.held).toHaveLength(1));
    const begin = (size: number, content: string): Promise<Response> =>
      server.request(`/api/blobs/${sha256(content)}`, {
        method: "PUT",
        token: client.ticket,
        headers: { "upload-complete": "?0", "upload-length": String(size) },
        body: "a few bytes",
      });
    expect((await begin(10_000_000, "one")).status).toBe(204);
    await refusal(await begin(10_000_000, "two"), 507, "QUOTA_EXCEEDED");
    expect((await begin(5_000_000, "three")).status).toBe(204);
  });

  test("a plain PUT that breaks off leaves nothing", async () => {
    const server = await startHttpServer();
    const sent = request(`${server.url}${path}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.tokens.customer}`, "content-length": bytes.length },
    });
    sent.on("error", () => undefined);
    const closed = new Promise((resolve) => sent.on("close", resolve));
    await new Promise<void>((resolve) => sent.write(bytes.subarray(0, 600_000), () => resolve()));
    sent.destroy();
    await closed;
    expect(await offsetOf(server)).toBe("0");
  });

  test.each<[string, Record<string, string>]>([
    ["without an offset", { "upload-complete": "?1" }],
    ["without an end", { "upload-offset": "5" }],
    ["with an offset that is no number", { "upload-complete": "?1", "upload-offset": "-1" }],
    ["with another form of a boolean", { "upload-complete": "true", "upload-offset": "5" }],
    ["without a length, and not the last", { "upload-complete": "?0", "upload-offset": "5" }],
  ])("a PATCH %s is refused", async (_what, headers) => {
    const server = await startHttpServer();
    const asked = server.request(`${path}/upload`, { method: "PATCH", headers, body: "x" });
    await refusal(await asked, 400, "BAD_REQUEST");
  });

  test("a PATCH of what is not here is refused: the upload begins again", async () => {
    await refusal(await goOn(await startHttpServer(), 5), 404, "NOT_FOUND");
  });
});
