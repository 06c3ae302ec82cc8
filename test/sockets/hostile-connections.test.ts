import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { JobId, TaskIndex } from "../../shared/ids.ts";
import { clientSocketPath, encodeFrame, subprotocol } from "../../shared/wire/protocol.ts";
import { submitJob } from "../support/jobs.ts";
import { temporaryDirectory, until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

interface Listed {
  readonly id: string;
  readonly connected: boolean;
}

const connected = async (server: TestServer): Promise<string[]> =>
  ((await server.api("GET", "/api/clients")) as unknown as Listed[])
    .filter((client) => client.connected)
    .map(({ id }) => id);

/** The TCP socket under a client's WebSocket. */
function networkOf(client: RawClient): Socket {
  return (client.socket as unknown as { _socket: Socket })._socket;
}

/** The head of a masked binary frame of 16 MiB, or of a fragment to be continued. */
function headOf(last: boolean, bytes: number): Buffer {
  const head = Buffer.alloc(14);
  head[0] = last ? 0x82 : 0x02;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return head;
}

/** Opens the socket as a browser behind a proxy would; true when the server took it. */
async function letIn(server: TestServer, headers: Record<string, string>): Promise<boolean> {
  const socket = new WebSocket(server.url.replace("http", "ws") + clientSocketPath, subprotocol, { headers });
  onTestFinished(() => socket.terminate());
  return once(socket, "open").then(
    () => true,
    () => false,
  );
}

describe("[MILES-7] compressed frames of a client", () => {
  const want = encodeFrame([{ type: "want", tasks: 1, slots: 1 }]);

  test("are taken like others", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).join();
    await submitJob(server, "export default (x) => x", [1]);
    client.socket.send(deflateSync(want));
    expect((await client.next("lease")).tasks).toHaveLength(1);
  });

  test.each([
    ["damaged", deflateSync(want).subarray(0, -1)],
    ["of more than any that is sent", deflateSync(Buffer.alloc(2 ** 20 + 1, want))],
  ])("%s end their connection alone", async (_, frame) => {
    const server = await startTestServer();
    const other = await new RawClient(server.url).join();
    const client = await new RawClient(server.url).join();
    client.socket.send(frame);
    expect((await client.next("refuse")).code).toBe("MALFORMED_FRAME");
    await client.closed;
    expect(await connected(server)).toEqual([other.id]);
  });

  test("come after the welcome", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).opened();
    client.socket.send(deflateSync(want));
    expect((await client.next("refuse")).code).toBe("MALFORMED_FRAME");
  });

  test("count by their inflated bytes", async () => {
    // A burst of a hundred messages: twenty frames of one message and 200 KB.
    const server = await startTestServer({ messagesPerSecondPerClient: 10 });
    const outcome = { state: "done", output: new Uint8Array(200_000) } as const;
    const [job, index] = ["j_aaaaaaaaaaaaaaaa" as JobId, 0 as TaskIndex];
    const frame = encodeFrame([
      { type: "results", job, results: [{ index, attempt: 1, elapsedMs: 1, outcome }] },
    ]);
    const plain = await new RawClient(server.url).join();
    for (let i = 0; i < 20; i++) plain.socket.send(frame);
    for (let i = 0; i < 20; i++) await plain.next("accepted");
    const client = await new RawClient(server.url).join();
    for (let i = 0; i < 20; i++) client.socket.send(deflateSync(frame));
    expect((await client.next("refuse")).code).toBe("TOO_MANY");
  });
});

describe("clients that do not read or do not finish", () => {
  test("a client that asks for tasks and never answers a ping is cut off; one that answers stays", async () => {
    const server = await startTestServer({ heartbeatMs: 500 });
    const deaf = await new RawClient(server.url).join();
    const honest = await new RawClient(server.url).join();
    networkOf(deaf).pause();
    const asking = setInterval(() => deaf.send({ type: "want", tasks: 0, slots: 1 }), 10);
    onTestFinished(() => clearInterval(asking));
    await until(async () => !(await connected(server)).includes(deaf.id));
    expect(await connected(server)).toEqual([honest.id]);
  });

  test.each([
    ["frames", true],
    ["fragmented messages", false],
  ])("%s that were begun and not finished are bounded over all connections", async (_what, last) => {
    const server = await startTestServer();
    const honest = await new RawClient(server.url).join();
    const body = Buffer.alloc(15 * 1024 * 1024);
    const size = last ? 16 * 1024 * 1024 : body.length;
    const hostile: RawClient[] = [];
    for (let i = 0; i < 10; i++) {
      const client = await new RawClient(server.url).join();
      networkOf(client).write(headOf(last, size));
      networkOf(client).write(body);
      hostile.push(client);
    }
    await until(async () => (await connected(server)).length <= 9);
    expect(await connected(server)).toContain(honest.id);
  });
});

describe("addresses", () => {
  test("[ACCESS-4] of several forwarded hosts the first counts, as for requests", async () => {
    const server = await startTestServer({ trustProxy: true, allowHosts: [] });
    const hosts = { "x-forwarded-host": "compute.example, inner.example" };
    expect(await letIn(server, { ...hosts, origin: "https://compute.example" })).toBe(true);
    expect(await letIn(server, { ...hosts, origin: "https://inner.example" })).toBe(false);
  });

  test("addresses of one IPv6 network count together, those of another do not", async () => {
    const server = await startTestServer({ trustProxy: true, maxConnectionsPerAddress: 1 });
    expect(await letIn(server, { "x-forwarded-for": "2001:db8:1:2::1" })).toBe(true);
    expect(await letIn(server, { "x-forwarded-for": "2001:db8:1:3::2" })).toBe(false);
    expect(await letIn(server, { "x-forwarded-for": "2001:db8:ffff::1" })).toBe(true);
  });

  test("a ban on a client of the server's own machine bans nobody else there, also over IPv6", async () => {
    const server = await startTestServer({ trustProxy: true });
    const joinFrom = (): Promise<RawClient> =>
      new RawClient(server.url, { headers: { "x-forwarded-for": "::1" } }).join();
    const banned = await joinFrom();
    await server.api("POST", `/api/clients/${banned.id}/ban`, { reason: "test" });
    await banned.closed;
    await joinFrom();
  });
});

test("a connection that never finishes its TLS handshake does not keep the server from stopping", async () => {
  const directory = await temporaryDirectory();
  const [tlsKey, tlsCertificate] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", tlsKey];
  const certificate = ["-out", tlsCertificate, "-days", "1", "-subj", "/CN=localhost"];
  execFileSync("openssl", ["req", "-x509", ...key, ...certificate], { stdio: "ignore" });
  const server = await startTestServer({ tlsKey, tlsCertificate });
  const silent = connect({ port: server.port, host: "127.0.0.1" });
  onTestFinished(() => void silent.destroy());
  // The server resets the connection in the end.
  silent.on("error", () => {});
  await once(silent, "connect");
  const at = performance.now();
  await server.close();
  // The silent connection would keep the server for the two minutes that a handshake may take.
  expect(performance.now() - at).toBeLessThan(20_000);
});
