import { createHash } from "node:crypto";
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { startServer } from "../../server/server.ts";
import { addServerFlags, readServerFlags } from "../../server/server-flags.ts";
import { limits } from "../../shared/limits.ts";
import type { ServerMessage } from "../../shared/wire/protocol.ts";
import { Command } from "commander";
import { run, temporaryDirectory } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const other = "http://second.lab.test:9991";
const servers = (): string[] => [`${other}/manyhands/`, "https://third.lab.test"];

async function welcomeOf(
  server: TestServer,
  options: { origin?: string } = {},
): Promise<{ client: RawClient; welcome: Extract<ServerMessage, { type: "welcome" }> }> {
  const client = await new RawClient(server.url, options).opened();
  client.hello();
  return { client, welcome: await client.next("welcome") };
}

describe("[SERVERS-1] the addresses of the servers", () => {
  test("are in the welcome of clients, as they are now; one server alone names none", async () => {
    let list: string[] = [];
    const server = await startTestServer({ servers: () => list });
    const welcomed = async (): Promise<unknown> => (await welcomeOf(server)).welcome;
    expect(await welcomed()).not.toHaveProperty("servers");
    list = [...servers(), other, `${other}/`];
    expect(await welcomed()).toHaveProperty("servers", [
      `${other}/manyhands/`,
      "https://third.lab.test/",
      `${other}/`,
    ]);
    list = Array.from({ length: 40 }, (_, i) => `http://s${i}.lab.test`);
    expect(await welcomed()).toHaveProperty(
      "servers",
      list.slice(0, limits.servers).map((url) => `${url}/`),
    );
  });

  test("come from --servers or MANYHANDS_SERVERS, and are refused when they are none", async () => {
    const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    addServerFlags(command);
    command.parse(["--servers", "a:9990, https://b/manyhands"], { from: "user" });
    expect(readServerFlags(command).options.servers()).toEqual(["http://a:9990/", "https://b/manyhands/"]);
    const many = Array.from({ length: limits.servers + 1 }, (_, i) => `s${i}`).join();
    for (const wrong of ["ftp://a", "a,,b", many, `http://a/${"x".repeat(limits.addressChars)}`])
      expect(() => command.parse(["--servers", wrong], { from: "user" })).toThrow(/expected/);
    const dataDirectory = await temporaryDirectory();
    await expect(
      startServer({ port: 0, logLevel: "silent", dataDirectory, servers: () => ["ftp://a"] }),
    ).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    const started = run(["server", "--data", dataDirectory], { MANYHANDS_SERVERS: "not an address" });
    expect(await started.ended).not.toBe(0);
    expect(started.log()).toMatch(/no server address/);
  });
});

describe("[SERVERS-4] pages of the other servers", () => {
  const bytes = Buffer.from("many hands");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const path = `/api/blobs/${sha256}`;
  const ask = (
    server: TestServer,
    to: string,
    { origin = other, ...headers }: Record<string, string> = {},
    init: RequestInit = {},
  ): Promise<Response> =>
    fetch(server.url + to, { ...init, headers: { origin, "sec-fetch-site": "cross-site", ...headers } });

  test("the volunteer page may connect to them, the admin page to its own server alone", async () => {
    // A host with a semicolon would be the next directive.
    const server = await startTestServer({ servers: () => [...servers(), "http://x;script-src/"] });
    const connects = async (page: string): Promise<string | undefined> => {
      const response = await fetch(server.url + page);
      return /connect-src [^;]*/.exec(response.headers.get("content-security-policy") ?? "")?.[0];
    };
    const { host } = new URL(server.url);
    const own = `connect-src 'self' ws://${host} wss://${host}`;
    expect(await connects("/")).toBe(
      `${own} ${other} ws://second.lab.test:9991 https://third.lab.test wss://third.lab.test`,
    );
    expect(await connects("/admin")).toBe(own);
    // The pages' worker connects to nothing.
    expect(await connects("/arbiter.js")).toBeUndefined();
  });

  test("open the client's WebSocket; those of other origins do not, nor does anybody else's socket", async () => {
    const server = await startTestServer({ servers });
    for (const origin of [other, "https://third.lab.test"])
      expect(await new RawClient(server.url, { origin }).join()).toBeDefined();
    for (const origin of [
      "https://second.lab.test:9991",
      "http://second.lab.test",
      "null",
      `${other}.evil`,
    ]) {
      const refused = new RawClient(server.url, { origin });
      expect(await refused.closed, origin).toMatchObject({ code: 1006 });
    }
    const alone = await startTestServer();
    expect(await new RawClient(alone.url, { origin: other }).closed).toMatchObject({ code: 1006 });
    const { id } = await server.api("POST", "/api/jobs", { kernel: { source: "export default (x) => x" } });
    const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    const status = await new Promise<number | undefined>((resolve) => {
      const asked = request(`${server.url}/api/jobs/${String(id)}/tasks`, {
        headers: {
          ...upgrade,
          "sec-websocket-key": Buffer.alloc(16).toString("base64"),
          authorization: `Bearer ${server.token}`,
          origin: other,
        },
      });
      asked.on("response", (response) => resolve(response.statusCode));
      asked.on("upgrade", (_, socket) => (socket.destroy(), resolve(101)));
      asked.end();
    });
    expect(status).toBe(403);
  });

  test("move blobs with a client's ticket", async () => {
    const server = await startTestServer({ servers });
    const put = await fetch(server.url + path, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/octet-stream" },
      body: bytes,
    });
    expect(put.ok).toBe(true);
    const job = {
      kernel: { source: "export default (x) => x" },
      inputs: [{ $ref: { sha256, size: bytes.length } }],
    };
    await server.api("POST", "/api/jobs", job);
    const { client, welcome } = await welcomeOf(server, { origin: other });
    client.send({ type: "want", tasks: 1, slots: 1 });
    await client.next("lease");
    const authorization = `Bearer ${welcome.ticket}`;
    const got = await ask(server, path, { authorization, range: "bytes=0-3" });
    expect(got.status).toBe(206);
    expect(got.headers.get("access-control-allow-origin")).toBe(other);
    expect(got.headers.get("vary")).toMatch(/Origin/);
    expect(got.headers.has("access-control-allow-credentials")).toBe(false);
    expect(await got.text()).toBe("many");
    const preflight = await ask(
      server,
      path,
      { "access-control-request-method": "PUT", "access-control-request-headers": "authorization" },
      { method: "OPTIONS" },
    );
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": other,
      "access-control-allow-methods": "GET, HEAD, PUT, PATCH",
      "access-control-allow-headers":
        "Authorization, Content-Encoding, Content-Type, Range, Upload-Complete, Upload-Length, Upload-Offset",
    });
    // A refusal can be read by the page as well.
    const wrong = await ask(server, `/api/blobs/${"0".repeat(64)}`, { authorization });
    expect(wrong.status).toBe(404);
    expect(wrong.headers.get("access-control-allow-origin")).toBe(other);
  });

  test("have nothing else: no token, no cookie, no other path; other origins have nothing at all", async () => {
    const server = await startTestServer({ servers });
    const authorization = `Bearer ${server.token}`;
    const refused = async (response: Promise<Response>): Promise<void> => {
      const { status, headers } = await response;
      expect([status, headers.get("access-control-allow-headers")]).toEqual([403, null]);
    };
    await refused(ask(server, path, { authorization }));
    await refused(ask(server, path));
    await refused(ask(server, path, { cookie: `manyhands=${server.token}` }));
    await refused(ask(server, "/api/status", { authorization }));
    await refused(ask(server, "/api/jobs", { authorization }, { method: "POST", body: "{}" }));
    await refused(ask(server, "/api/jobs", {}, { method: "OPTIONS" }));
    await refused(ask(server, "/api/blobs", {}, { method: "OPTIONS" }));
    await refused(ask(server, path, { origin: "https://evil.example" }, { method: "OPTIONS" }));
    await refused(ask(server, path, { origin: "https://evil.example", authorization }));
  });
});
