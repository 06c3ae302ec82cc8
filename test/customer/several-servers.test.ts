import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../customer/index.ts";
import { PlatformError } from "../../shared/errors.ts";
import { freePort } from "../../bench/harness/services/ports.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

/** A server that takes connections and says nothing. */
async function silentServer(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that only says that it goes down. */
async function leavingServer(): Promise<{ url: string; asked: () => number }> {
  let asked = 0;
  const server = createHttpServer((_, response) => {
    asked++;
    const refusal = new PlatformError("SHUTTING_DOWN", "The server is going down.");
    response.writeHead(503, { "content-type": "application/json" }).end(JSON.stringify(refusal.toBody()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked };
}

const quiet = (server: TestServer): { token: string; log: () => void } => ({
  token: server.token,
  log: () => undefined,
});

describe("[SERVERS-5] requests of a customer of several servers", () => {
  it("pass over one that is not there, one that goes down, and one that is silent, within the time to connect", async () => {
    const server = await startTestServer();
    const leaving = await leavingServer();
    const dead = `http://127.0.0.1:${await freePort()}`;
    const all = [dead, leaving.url, await silentServer(), server.url].join();
    const hands = await connect(all, quiet(server));
    onTestFinished(() => hands.close());
    expect(hands.url).toBe(`${server.url}/`);
    expect(leaving.asked()).toBe(1);
    // The next requests begin at the server that answered.
    await Promise.all(Array.from({ length: 20 }, () => hands.status()));
    expect(leaving.asked()).toBe(1);
  });

  it("go on in turn, also when many fail at once, and name the failure of the last at the end", async () => {
    const [first, second] = [await startTestServer(), await leavingServer()];
    const hands = await connect(`${first.url},${second.url}`, { ...quiet(first), connectMs: 2000 });
    onTestFinished(() => hands.close());
    await first.close();
    const refused = Array.from({ length: 10 }, () => hands.api.status({ patienceMs: 1000 }));
    for (const outcome of await Promise.allSettled(refused))
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: expect.stringMatching(/UNREACHABLE|SHUTTING_DOWN/) as string },
      });
    expect(second.asked()).toBeGreaterThan(0);
  });

  it("bring a token that a server of this machine left for the user", async () => {
    const [first, second] = [await startTestServer(), await startTestServer()];
    const hands = await connect(`${first.url},${second.url}`, { log: () => undefined });
    onTestFinished(() => hands.close());
    await first.close();
    // The token of the first is unknown to the second, which left one of its own.
    expect((await hands.status()).version).toMatch(/^\d/);
    expect(hands.url).toBe(`${second.url}/`);
  });

  it("a list with an entry that is no address is refused", async () => {
    const silent = { connectMs: 0, log: () => undefined };
    for (const wrong of ["http://a,ftp://b", "http://a,,http://b", "a b"])
      await expect(connect(wrong, silent)).rejects.toBeInstanceOf(PlatformError);
  });
});
