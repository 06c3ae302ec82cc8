import { encode } from "@msgpack/msgpack";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limits } from "../../shared/limits.ts";
import { openHttpServer, startHttpServer, type HttpServer } from "../support/http-server.ts";
import { json, kernel, refusal } from "../support/rest.ts";

let server: HttpServer;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ server, close } = await openHttpServer());
});
afterAll(() => close());

/** Sends bytes that no HTTP library would send, and returns the whole reply. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1", () => socket.write(text));
    let reply = "";
    socket.on("data", (chunk) => (reply += String(chunk)));
    socket.on("error", reject);
    socket.on("close", () => resolve(reply));
  });
}

describe("[ERR-1] bodies", () => {
  const bodies: [string, RequestInit, number, "BAD_REQUEST" | "UNSUPPORTED_TYPE" | "TOO_LARGE"][] = [
    ["no JSON", { ...json(1), body: "{" }, 400, "BAD_REQUEST"],
    ["empty", { ...json(1), body: "" }, 400, "BAD_REQUEST"],
    ["no UTF-8", { ...json(1), body: Buffer.from([0x22, 0xff, 0x22]) }, 400, "BAD_REQUEST"],
    ["another shape", json({ kernel: 7 }), 400, "BAD_REQUEST"],
    ["an unknown field", json({ kernel, colour: "red" }), 400, "BAD_REQUEST"],
    ["null", json(null), 400, "BAD_REQUEST"],
    ["a list", json([]), 400, "BAD_REQUEST"],
    ["a limit broken", json({ kernel, priority: limits.maxPriority + 1 }), 400, "BAD_REQUEST"],
    ["a form", { method: "POST", body: new URLSearchParams({ a: "b" }) }, 415, "UNSUPPORTED_TYPE"],
    [
      "text",
      { method: "POST", body: "x", headers: { "content-type": "text/plain" } },
      415,
      "UNSUPPORTED_TYPE",
    ],
    [
      "unknown compression",
      { ...json({}), headers: { "content-type": "application/json", "content-encoding": "zap" } },
      415,
      "UNSUPPORTED_TYPE",
    ],
    [
      "broken MessagePack",
      { method: "POST", body: Buffer.from([0x82]), headers: { "content-type": "application/x-msgpack" } },
      400,
      "BAD_REQUEST",
    ],
    [
      "MessagePack of another shape",
      {
        method: "POST",
        body: Buffer.from(encode([1])),
        headers: { "content-type": "application/x-msgpack" },
      },
      400,
      "BAD_REQUEST",
    ],
    [
      "a MessagePack array that lies",
      {
        method: "POST",
        body: Buffer.from([0xdd, 255, 255, 255, 255]),
        headers: { "content-type": "application/x-msgpack" },
      },
      413,
      "TOO_LARGE",
    ],
  ];
  test.each(bodies)("%s", async (_, init, status, code) => {
    await refusal(await server.request("/api/jobs", init), status, code);
  });

  test("over the limit", async () => {
    const body = `{"source":"${"x".repeat(limits.kernelBytes + 1)}"}`;
    await refusal(await server.request("/api/kernels", { ...json(1), body }), 400, "BAD_REQUEST");
    const script = { method: "POST", headers: { "content-type": "text/javascript" } };
    const kernelTooLarge = { ...script, body: "x".repeat(limits.kernelBytes + 1) };
    await refusal(await server.request("/api/kernels", kernelTooLarge), 413, "TOO_LARGE");
    await refusal(await server.request("/api/kernels", { ...script, body: "" }), 400, "BAD_REQUEST");
    const token = json({ token: "x".repeat(5000) });
    await refusal(await server.request("/api/sign-in", token), 413, "TOO_LARGE");
  });

  test("a body that unpacks to more than the limit is over the limit", async () => {
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(Buffer.alloc(limits.kernelBytes + limits.bodyBytes + 1, 32));
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    await refusal(
      await server.request("/api/jobs", { method: "POST", headers, body: bomb }),
      413,
      "TOO_LARGE",
    );
  });
});

describe("addresses and methods", () => {
  test.each([
    "/nowhere",
    "/api",
    "/api/",
    "/api/nowhere",
    "/api/jobs/x/y/z",
    "/API/jobs",
    "/assets/none.js",
    "/.git/config",
  ])("there is nothing at %s", async (path) => {
    await refusal(await server.request(path), 404, "NOT_FOUND");
  });

  test.each([
    ["PUT", "/api/jobs", "POST, GET"],
    ["DELETE", "/api/status", "GET"],
    ["OPTIONS", "/api/jobs", "POST, GET"],
    ["HEAD", "/api/events", "GET"],
    ["PATCH", "/healthz", "GET"],
  ])("%s %s tells what is possible", async (method, path, allow) => {
    const response = await server.request(path, { method });
    expect(response.headers.get("allow")).toBe(allow);
    if (method === "HEAD") expect(response.status).toBe(405);
    else await refusal(response, 405, "METHOD_NOT_ALLOWED");
  });

  test("the socket's address wants an upgrade", async () => {
    await refusal(await server.request("/socket"), 426, "UPGRADE_REQUIRED");
  });

  test.each([
    "/../../etc/passwd",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/..%5c..%5cx",
    "/%00",
    "//etc/passwd",
    "/assets//../../package.json",
  ])("no path leads out: %s", async (path) => {
    const reply = await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 40[04]/);
    expect(reply).toMatch(/"code":"(NOT_FOUND|BAD_REQUEST)"/);
    expect(reply).not.toMatch(/root:|"dependencies"|\.ts:\d/);
  });

  test.each(["/api/jobs/%ZZ", "/api/jobs/%E0%A4%A", "/%ZZ"])(
    "a malformed address is refused: %s",
    async (path) => {
      const reply = await raw(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${server.tokens.admin}\r\nConnection: close\r\n\r\n`,
      );
      expect(reply).toMatch(/^HTTP\/1\.1 40[04]/);
      expect(reply).toMatch(/"code":"(NOT_FOUND|BAD_REQUEST)"/);
    },
  );

  test("heads without measure are refused", async () => {
    const reply = await raw(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"y".repeat(17_000)}\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 431/);
  });

  test.each(["Basic abc", "Bearer", "Bearer a b", "bearer  ", "x".repeat(8000)])(
    "an odd Authorization is no token: %s",
    async (authorization) => {
      const response = await server.request("/api/jobs", { token: null, headers: { authorization } });
      expect(response.headers.get("www-authenticate")).toBe('Bearer realm="manyhands"');
      await refusal(response, 401, "UNAUTHENTICATED");
    },
  );
});

describe("[ACCESS-4] same origin only", () => {
  test.each([
    ["another origin", { origin: "http://evil.example" }],
    ["an opaque origin", { origin: "null" }],
    ["another port", { origin: "http://127.0.0.1:1" }],
    ["a cross-site fetch", { "sec-fetch-site": "cross-site" }],
    ["a same-site fetch", { "sec-fetch-site": "same-site" }],
  ])("%s is refused, with a token too", async (_, headers) => {
    const response = await server.request("/api/jobs", { headers });
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    await refusal(response, 403, "ORIGIN_REFUSED");
  });

  test("pages of the server and programs are let in; links of other pages lead to pages", async () => {
    const status = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await server.request(path, { headers })).status;
    expect(await status("/api/jobs", { origin: server.url })).toBe(200);
    expect(await status("/api/jobs", { "sec-fetch-site": "same-origin" })).toBe(200);
    expect(await status("/api/jobs", { "sec-fetch-site": "none" })).toBe(200);
    // fetch would write its own sec-fetch-mode.
    const crossSite = (path: string, mode: string): Promise<string> =>
      raw(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: ${mode}\r\n\r\n`,
      );
    expect(await crossSite("/", "navigate")).toMatch(/^HTTP\/1.1 503/);
    expect(await crossSite("/", "no-cors")).toMatch(/^HTTP\/1.1 403/);
    expect(await crossSite("/api/openapi.json", "navigate")).toMatch(/^HTTP\/1.1 403/);
  });

  test("behind a trusted proxy the proxy's name counts", async () => {
    const behind = await startHttpServer({ trustProxy: true });
    const headers = {
      origin: "https://lab.example",
      "x-forwarded-host": "lab.example",
      "x-forwarded-proto": "https",
    };
    expect((await behind.request("/api/jobs", { headers })).status).toBe(200);
    await refusal(await server.request("/api/jobs", { headers }), 403, "ORIGIN_REFUSED");
  });
});

test("a defect is told in general words, and in the log in full", async () => {
  const own = await startHttpServer();
  own.platform.status = () => Promise.reject(new Error("secret detail"));
  const message = await refusal(await own.request("/api/status"), 500, "INTERNAL");
  expect(message).not.toContain("secret");
  expect(JSON.stringify(own.logged)).toContain("secret detail");
});

test("behind a proxy an address counts as the proxy saw it, whatever its owner claims", async () => {
  const own = await startHttpServer({ requestsPerMinutePerAddress: 3, trustProxy: true });
  const from = (chain: string) =>
    own.request("/healthz", { token: null, headers: { "x-forwarded-for": chain } });
  for (let i = 0; i < 3; i++) expect((await from(`10.0.0.${i}, 192.0.2.7`)).status).toBe(200);
  expect((await from("10.0.0.9, 192.0.2.7")).status).toBe(429);
  expect((await from("10.0.0.9, 192.0.2.8")).status).toBe(200);
});

test("too many requests: per address for strangers, per token for the known, none for transfers", async () => {
  const own = await startHttpServer({ requestsPerMinutePerAddress: 5 });
  const ask = (path: string, token: string | null) => own.request(path, { token });
  for (let i = 0; i < 5; i++) expect((await ask("/healthz", null)).status).toBe(200);
  const refused = await ask("/healthz", null);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  await refusal(refused, 429, "TOO_MANY");
  expect((await ask("/api/jobs", "mh_a_wrong")).status).toBe(429);
  for (let i = 0; i < 50; i++) expect((await ask("/api/jobs", own.tokens.customer)).status).toBe(200);
  await refusal(await ask("/api/jobs", own.tokens.customer), 429, "TOO_MANY");
  expect((await ask("/api/jobs", own.tokens.admin)).status).toBe(200);
  const { ticket } = own.client();
  for (let i = 0; i < 60; i++) expect((await ask(`/api/blobs/${"0".repeat(64)}`, ticket)).status).toBe(404);
});
