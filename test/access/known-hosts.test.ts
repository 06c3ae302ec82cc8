import { once } from "node:events";
import { createServer, request } from "node:http";
import { hostname } from "node:os";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../bench/harness/services/ports.ts";
import { knownHosts } from "../../server/access/known-hosts.ts";
import { labHost, launchBrowser } from "../support/browser.ts";
import { startServerProcess, temporaryDirectory } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

const unnamed = {
  host: "127.0.0.1",
  publicUrl: undefined,
  servers: () => [] as string[],
  allowHosts: [],
  trustProxy: false,
};

describe("[ACCESS-5] names that a server knows", () => {
  test.each([
    ["localhost:9990", true],
    ["LOCALHOST.", true],
    ["app.localhost", true],
    ["127.0.0.1:9990", true],
    ["192.168.1.7", true],
    ["[::1]:9990", true],
    [`${hostname()}:9990`, true],
    [`${hostname()}.local`, true],
    ["evil.example:9990", false],
    ["localhost.evil.example", false],
    ["127.0.0.1.evil.example", false],
    [`${hostname()}.evil.example`, false],
    ["[::1].evil.example", false],
    ["", false],
    [undefined, false],
  ])("%j: %s", (host, isKnown) => {
    expect(knownHosts(unnamed)({ host })).toBe(isKnown);
  });

  test("are those of the options, too", () => {
    const knows = knownHosts({
      ...unnamed,
      host: "Head.cluster",
      publicUrl: "https://lab.example.org/manyhands/",
      servers: () => ["http://second.cluster:9991/"],
      allowHosts: ["other.example.net", "*.example.com"],
    });
    for (const host of [
      "head.cluster",
      "lab.example.org",
      "second.cluster",
      "other.example.net",
      "a.b.example.com",
    ])
      expect(knows({ host })).toBe(true);
    for (const host of ["cluster", "example.org", "x.other.example.net", "example.com", "aexample.com"])
      expect(knows({ host })).toBe(false);
  });

  test("behind a named proxy both names count, behind one without a name none", () => {
    const named = knownHosts({ ...unnamed, trustProxy: true, publicUrl: "https://lab.example.org/" });
    const asked = (host: string, forwarded?: string): boolean =>
      named({ host, ...(forwarded !== undefined && { "x-forwarded-host": forwarded }) });
    expect(asked("127.0.0.1:9990", "lab.example.org")).toBe(true);
    expect(asked("lab.example.org")).toBe(true);
    expect(asked("127.0.0.1:9990", "evil.example, lab.example.org")).toBe(false);
    expect(asked("evil.example", "lab.example.org")).toBe(false);
    expect(knownHosts({ ...unnamed, trustProxy: true })({ host: "lab.example.org" })).toBe(true);
    const direct = knownHosts({ ...unnamed, publicUrl: "https://lab.example.org/" });
    expect(direct({ host: "evil.example", "x-forwarded-host": "lab.example.org" })).toBe(false);
  });
});

/** The status of a request under a name, and the code of its refusal. */
function ask(
  server: { readonly port: number },
  host: string,
  path: string,
  token?: string,
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    request({ host: "127.0.0.1", port: server.port, path, headers }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += String(chunk)));
      response.on("end", () => resolve({ status: response.statusCode, body }));
    })
      .on("error", reject)
      .end();
  });
}

describe("[ACCESS-5] a server", () => {
  test.each(["/", "/admin", "/healthz", "/api/openapi.json", "/api/status", "/socket", "/nothing"])(
    "%s under an unknown name is refused in words",
    async (path) => {
      const server = await startTestServer({ allowHosts: [] });
      const { status, body } = await ask(server, "evil.example", path, "mh_a_wrong");
      expect(status).toBe(403);
      expect(JSON.parse(body)).toMatchObject({
        code: "ORIGIN_REFUSED",
        message: expect.stringContaining('not known as "evil.example"'),
        remedy: expect.stringContaining("--allow-host"),
      });
    },
  );

  test("a balancer's health check without a name is answered, and nothing else is", async () => {
    const server = await startTestServer({ allowHosts: [] });
    const lineOf = async (path: string): Promise<string> => {
      const socket = connect(server.port, "127.0.0.1");
      socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
      return String(await buffer(socket)).split("\r\n", 1)[0]!;
    };
    expect(await lineOf("/healthz")).toBe("HTTP/1.1 200 OK");
    expect(await lineOf("/api/openapi.json")).toBe("HTTP/1.1 403 Forbidden");
  });

  test("programs use any name: with a token over HTTP, without Origin on the socket", async () => {
    const server = await startTestServer({ allowHosts: [] });
    expect(await ask(server, "head.cluster", "/api/status", server.token)).toMatchObject({ status: 200 });
    await new RawClient(server.url, { headers: { host: "head.cluster" } }).join();
    const page = new RawClient(server.url, {
      headers: { host: "evil.example" },
      origin: "http://evil.example",
    });
    expect((await page.closed).code).toBe(1006);
  });

  test("MANYHANDS_ALLOW_HOST and --allow-host name more; what is no name is refused", async () => {
    const server = await startServerProcess(await temporaryDirectory(), [
      "--allow-host",
      "Lab.example, *.example.org",
    ]);
    const asked = (host: string) => ask(server, host, "/healthz");
    expect(await asked("lab.example")).toMatchObject({ status: 200 });
    expect(await asked("a.example.org")).toMatchObject({ status: 200 });
    expect(await asked("example.com")).toMatchObject({ status: 403 });
  });
});

const attack = async (host: string): Promise<{ status: number; joined: boolean }> => {
  const { status } = await fetch("/api/openapi.json");
  const joined = await new Promise<boolean>((resolve) => {
    const socket = new WebSocket(`ws://${host}/socket`, "manyhands");
    socket.addEventListener("open", () => resolve(true));
    socket.addEventListener("error", () => resolve(false));
  });
  return { status, joined };
};

/** The replies that a page of a stranger's site gets from a server, once the page's own name leads to that server. */
async function rebind(allowHosts: readonly string[]): Promise<unknown> {
  const stranger = createServer((_req, res) =>
    res.setHeader("content-type", "text/html").end("<p>stranger</p>"),
  );
  // No outgoing connection of the system takes this port between the two servers.
  const port = await freePort();
  stranger.listen(port, "127.0.0.1");
  await once(stranger, "listening");
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`http://${labHost}:${port}/`);
  stranger.closeAllConnections();
  stranger.close();
  await once(stranger, "close");
  await startTestServer({ allowHosts, port });
  return page.evaluate(attack, `${labHost}:${port}`);
}

test("[ACCESS-5] a real browser whose page was rebound to the server reaches nothing", async () => {
  expect(await rebind([])).toEqual({ status: 403, joined: false });
});

test("[ACCESS-5] the same page under a name of the server gets through", async () => {
  expect(await rebind([labHost])).toEqual({ status: 200, joined: true });
});
