import { encode } from "@msgpack/msgpack";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import type { JobId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { version } from "../../shared/version.ts";
import { protocolVersion } from "../../shared/wire/protocol.ts";
import { until } from "../support/processes.ts";
import { quickest } from "../support/quickest.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const kernel = { source: "export default (x) => x * x" };

/** Submits a job whose results are not verified, so that each is an outcome as it comes. */
async function submit(server: TestServer, inputs: unknown[], options: object = {}): Promise<string> {
  const job = await server.api("POST", "/api/jobs", { kernel, inputs, verify: "off", ...options });
  return job["id"] as unknown as string;
}

const join = (server: TestServer, overrides = {}): Promise<RawClient> =>
  new RawClient(server.url).join(overrides);

describe("hello", () => {
  test("[PROTO-1] another protocol version is refused with what to do", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).opened();
    client.hello({ protocol: 0, version: "0.0.1" });
    expect(await client.next("refuse")).toMatchObject({ code: "UPGRADE_REQUIRED", retryable: false });
    expect(await client.closed).toMatchObject({ code: 4426 });
  });

  test("[UPGRADE-2] a client of 0.1.0 is refused with both versions, and one of 0.2.0 gets the welcome that it knows", async () => {
    const servers = ["http://a.example:9990/", "http://b.example:9990/"];
    const server = await startTestServer({ servers: () => servers });
    const oldest = await new RawClient(server.url).opened();
    const description = { kind: "node", name: "lab", slots: 1, memoryMb: 1024, webgpu: false };
    const held = { held: [], cached: [] };
    oldest.socket.send(
      encode([
        {
          type: "hello",
          protocol: 3,
          version: "0.1.0",
          client: "c_abcdefghij234567",
          ...description,
          ...held,
        },
      ]),
    );
    expect(await oldest.next("refuse")).toEqual({
      type: "refuse",
      code: "UPGRADE_REQUIRED",
      message: `This client (0.1.0) speaks protocol 3; the server (${version}) speaks ${protocolVersion}.`,
      remedy: expect.any(String),
      retryable: false,
    });
    expect(await oldest.closed).toMatchObject({ code: 4426 });

    const old = await new RawClient(server.url).opened();
    old.hello({ version: "0.2.0", trusts: [] });
    // The fields of 0.2.0, which refused a message with another one.
    expect(Object.keys(await old.next("welcome")).toSorted()).toEqual(
      ["type", "version", "identity", "ticket", "heartbeatMs", "dropped"].toSorted(),
    );
    const today = await new RawClient(server.url).opened();
    today.hello();
    expect(await today.next("welcome")).toMatchObject({ servers });
  });

  test("[SERVERS-10] [UPGRADE-2] a sign of life names the servers once they are others than the client was told", async () => {
    let servers: readonly string[] = [];
    const server = await startTestServer({ servers: () => servers, heartbeatMs: 100 });
    const [old, today] = [await new RawClient(server.url).opened(), await new RawClient(server.url).opened()];
    old.hello({ version: "0.2.0" });
    today.hello();
    expect(await today.next("welcome")).not.toHaveProperty("servers");
    servers = ["http://a.example:9990/", "http://b.example:9990/"];
    const named = (client: RawClient) =>
      client.received.flatMap((message) =>
        message.type === "heartbeat" && message.servers ? [message.servers] : [],
      );
    await until(() => named(today).length > 0);
    const heard = today.received.length;
    await until(() => today.received.length > heard + 3);
    expect(named(today)).toEqual([servers]);
    servers = ["http://a.example:9990/"];
    await until(() => named(today).length === 2);
    expect(named(today)[1]).toEqual(servers);
    expect(named(old)).toEqual([]);
  });

  test("[ACCESS-2] volunteers open, invite, off; a client token makes trusted", async () => {
    for (const [volunteers, code] of [
      ["invite", "INVITE_REQUIRED"],
      ["off", "VOLUNTEERS_OFF"],
    ] as const) {
      const server = await startTestServer({ volunteers });
      const refused = await new RawClient(server.url).opened();
      refused.hello();
      expect(await refused.next("refuse")).toMatchObject({ code });
      const { token } = await server.api("POST", "/api/tokens", { role: "client", name: "node" });
      await join(server, { token });
      const clients = (await server.api("GET", "/api/clients")) as unknown as { trusted: boolean }[];
      expect(clients).toMatchObject([{ trusted: true }]);
    }
  });

  test("[ACCESS-2] an invitation lets a volunteer in, untrusted; a wrong token and a customer's do not", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const invite = await server.api("POST", "/api/tokens", { role: "volunteer", name: "open day" });
    await join(server, { token: invite["token"] });
    const clients = (await server.api("GET", "/api/clients")) as unknown as { trusted: boolean }[];
    expect(clients).toMatchObject([{ trusted: false }]);
    const customer = await server.api("POST", "/api/tokens", { role: "customer", name: "ada" });
    for (const [token, code] of [
      ["mh_v_nonsense", "UNAUTHENTICATED"],
      [customer["token"], "FORBIDDEN"],
    ] as const) {
      const client = await new RawClient(server.url).opened();
      client.hello({ token });
      expect(await client.next("refuse")).toMatchObject({ code });
    }
  });

  test("[TOKEN-1] a token lets no more clients in than its bound, and one in again once another left", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const { token } = await server.api("POST", "/api/tokens", {
      role: "volunteer",
      name: "room",
      maxClients: 2,
    });
    const first = await join(server, { token });
    const second = await join(server, { token });
    const third = await new RawClient(server.url).opened();
    third.hello({ token });
    expect(await third.next("refuse")).toMatchObject({ code: "TOO_MANY", retryable: true });
    const again = await join(server, { token, identity: first.identity });
    second.socket.close();
    await until(async () => {
      const late = await new RawClient(server.url).opened();
      late.hello({ token });
      return Promise.race([late.next("welcome").then(() => true), late.closed.then(() => false)]);
    });
    again.socket.close();
  });

  test("revoking a token ends the connections that came with it", async () => {
    const server = await startTestServer({ volunteers: "off" });
    const { token, id } = await server.api("POST", "/api/tokens", { role: "client", name: "node" });
    const client = await join(server, { token });
    await server.api("DELETE", `/api/tokens/${id as unknown as string}`);
    expect(await client.next("refuse")).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("[ACCESS-4] a page of another origin cannot open the socket", async () => {
    const server = await startTestServer();
    const foreign = new RawClient(server.url, { origin: "https://evil.example" });
    expect(await foreign.closed).toMatchObject({ code: 1006 });
    const own = new RawClient(server.url, { origin: server.url });
    await own.join();
  });

  test("a banned client is disconnected and refused from then on", async () => {
    const server = await startTestServer();
    const client = await join(server);
    await server.api("POST", `/api/clients/${client.id}/ban`, { reason: "wrong results" });
    expect(await client.next("refuse")).toMatchObject({ code: "BANNED" });
    const again = await new RawClient(server.url, { as: client.identity }).opened();
    again.hello();
    expect(await again.next("refuse")).toMatchObject({
      code: "BANNED",
      message: expect.stringContaining("wrong results"),
    });
  });

  test("the same client connecting anew replaces its old connection", async () => {
    const server = await startTestServer();
    const first = await join(server);
    await new RawClient(server.url, { as: first.identity }).join();
    await first.next("bye");
    await first.closed;
    const clients = (await server.api("GET", "/api/clients")) as unknown as { connected: boolean }[];
    expect(clients).toMatchObject([{ connected: true }]);
  });
});

describe("malformed frames", () => {
  const bad: [string, (client: RawClient) => void][] = [
    ["no MessagePack", (client) => client.socket.send(new Uint8Array([0xc1, 0xff]))],
    ["an unknown message", (client) => client.socket.send(encode([{ type: "mine-bitcoin" }]))],
    ["a missing field", (client) => client.socket.send(encode([{ type: "want" }]))],
    ["a surplus field", (client) => client.socket.send(encode([{ type: "goodbye", and: "thanks" }]))],
    ["not an array", (client) => client.socket.send(encode({ type: "goodbye" }))],
    ["a text frame", (client) => client.socket.send("hello")],
    ["a second hello", (client) => client.hello()],
    [
      "a job id out of form",
      (client) => client.socket.send(encode([{ type: "results", job: "../x", results: [] }])),
    ],
    ["a negative want", (client) => client.socket.send(encode([{ type: "want", tasks: -1, slots: 1 }]))],
  ];
  test.each(bad)("[PROTO-2] %s ends that connection with a reason and nothing else", async (_name, send) => {
    const server = await startTestServer();
    const other = await join(server);
    const client = await join(server);
    send(client);
    expect(await client.next("refuse")).toMatchObject({ code: "MALFORMED_FRAME" });
    expect(await client.closed).toMatchObject({ code: 4400 });
    await submit(server, [3]);
    expect((await other.lease()).tasks).toHaveLength(1);
  });

  test("[PROTO-2] a frame over the limit ends that connection", async () => {
    const server = await startTestServer();
    const client = await join(server);
    client.socket.send(new Uint8Array(limits.frameBytes + 1));
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test("a first message that is not hello, and none at all, are refused", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).opened();
    client.send({ type: "goodbye" });
    expect(await client.next("refuse")).toMatchObject({ code: "MALFORMED_FRAME" });
  });

  test("a client that floods the server is cut off", async () => {
    const server = await startTestServer({ messagesPerSecondPerClient: 10 });
    const client = await join(server);
    for (let i = 0; i < 200; i++) client.send({ type: "want", tasks: 0, slots: 1 });
    expect(await client.next("refuse")).toMatchObject({ code: "TOO_MANY" });
  });
});

describe("leases over the socket", () => {
  test("[FLOW-1] [DUR-2] lease, result, acknowledgement; and the customer's side of it", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1, 2, 3]);
    const client = await join(server);
    const { job, tasks } = await client.lease(2);
    expect(tasks.map(({ index }) => index)).toEqual([0, 1]);
    for (const task of tasks) client.finish(job, task);
    const accepted = [...(await client.next("accepted")).indexes];
    if (accepted.length < 2) accepted.push(...(await client.next("accepted")).indexes);
    expect(accepted.sort((a, b) => a - b)).toEqual([0, 1]);
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 2, total: 3 } });
  });

  test("[ONCE-2] a result sent three times is acknowledged three times and counted once", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1, 2]);
    const client = await join(server);
    const { job, tasks } = await client.lease();
    for (let i = 0; i < 3; i++) {
      client.finish(job, tasks[0]!);
      expect((await client.next("accepted")).indexes).toEqual([0]);
    }
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 1 }, lastSeq: 1 });
    expect(await server.api("GET", "/api/status")).toMatchObject({ tasks: { droppedResults: 2 } });
  });

  test("[LEASE-4] goodbye gives the tasks to another client at once", async () => {
    const server = await startTestServer();
    await submit(server, [1]);
    const leaving = await join(server);
    await leaving.lease();
    const other = await join(server);
    other.send({ type: "want", tasks: 1, slots: 1 });
    leaving.send({ type: "goodbye" });
    expect((await other.next("lease")).tasks).toMatchObject([{ index: 0 }]);
  });

  test("[LEASE-3] a connection that breaks costs the grace time", async () => {
    const server = await startTestServer({ graceMs: 300 });
    await submit(server, [1]);
    const lost = await join(server);
    await lost.lease();
    lost.socket.terminate();
    const other = await join(server);
    other.send({ type: "want", tasks: 1, slots: 1 });
    expect((await other.next("lease")).tasks).toMatchObject([{ index: 0, attempt: 2 }]);
  });

  test("[LEASE-2] a client that comes back within the grace time keeps its lease and delivers", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1]);
    const client = await join(server);
    const { job, tasks } = await client.lease();
    client.socket.terminate();
    await client.closed;
    const back = new RawClient(server.url, { as: client.identity });
    await back.opened();
    const { index, attempt } = tasks[0]!;
    back.hello({ held: [{ job, index, attempt }] });
    expect((await back.next("welcome")).dropped).toEqual([]);
    back.finish(job, tasks[0]!);
    await back.next("accepted");
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ state: "finished" });
  });

  test("[CANCEL-1] a cancelled job is taken from its clients within a second", async () => {
    const server = await startTestServer();
    const client = await join(server);
    const ms = await quickest(async () => {
      const id = await submit(server, [1, 2]);
      await client.lease(2);
      const at = performance.now();
      await server.api("POST", `/api/jobs/${id}/cancel`);
      expect(await client.next("cancel")).toMatchObject({ job: id });
      const cancelledMs = performance.now() - at;
      expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({
        state: "cancelled",
        counts: { cancelled: 2 },
      });
      return cancelledMs;
    });
    expect(ms).toBeLessThan(1000);
  });

  test("[VALUE-3] a checkpoint goes with the task to the next client, also through a restart of the server", async () => {
    const server = await startTestServer();
    await submit(server, [1]);
    const first = await join(server);
    const { job, tasks } = await first.lease();
    const { index, attempt } = tasks[0]!;
    first.send({ type: "checkpoint", job, index, attempt, state: new Uint8Array([0x91, 7]) });
    // The server ignores a checkpoint that no client could read.
    first.send({ type: "checkpoint", job, index, attempt, state: new Uint8Array([0xc1]) });
    first.send({ type: "goodbye" });
    await until(
      async () =>
        ((await server.api("GET", "/api/clients")) as unknown as { connected: boolean }[])[0]?.connected ===
        false,
    );
    await server.close();
    const again = await startTestServer({ dataDirectory: server.dataDirectory });
    const second = await join(again);
    expect((await second.lease()).tasks).toMatchObject([{ index: 0, resume: new Uint8Array([0x91, 7]) }]);
  });

  test("[VALUE-3] an output that no customer could read fails the attempt, and another client's is taken", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1]);
    for (const bytes of [[0xc1], [], [0x92, 1], [0xd6, 0xff, 0, 0, 0, 1]]) {
      const stranger = await join(server);
      const { job, tasks } = await stranger.lease();
      const { index, attempt } = tasks[0]!;
      const outcome = { state: "done" as const, output: Uint8Array.from(bytes) };
      stranger.send({ type: "want", tasks: 0, slots: 1 });
      stranger.send({ type: "results", job, results: [{ index, attempt, elapsedMs: 1, outcome }] });
      await stranger.next("accepted");
      stranger.send({ type: "goodbye" });
    }
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 0, failed: 0 } });
    const honest = await join(server);
    const { job, tasks } = await honest.lease();
    honest.finish(job, tasks[0]!);
    await honest.next("accepted");
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 1 } });
  });

  test("an output that names a blob nobody uploaded fails the attempt instead of losing the task", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1], { maxAttempts: 1 });
    const client = await join(server);
    const { job, tasks } = await client.lease();
    const { index, attempt } = tasks[0]!;
    const output = { sha256: sha256Hex(new Uint8Array([9])), size: 1 };
    client.send({
      type: "results",
      job,
      results: [{ index, attempt, elapsedMs: 1, outcome: { state: "done", output } }],
    });
    await client.next("accepted");
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({
      failures: [{ kind: "data", index: 0 }],
    });
  });

  test("[LEASE-6] after a restart of the server clients keep what they compute, and nobody else gets it", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1, 2]);
    const client = await join(server);
    const { job, tasks } = await client.lease();
    await server.close();
    const again = await startTestServer({ dataDirectory: server.dataDirectory });
    const other = await join(again);
    other.send({ type: "want", tasks: 5, slots: 1 });
    const back = await new RawClient(again.url, { as: client.identity }).opened();
    const { index, attempt } = tasks[0]!;
    back.hello({ held: [{ job, index, attempt }] });
    await back.next("welcome");
    expect((await other.next("lease")).tasks.map((task) => task.index)).toEqual([1]);
    back.finish(job, tasks[0]!);
    await back.next("accepted");
    expect(await again.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 1 } });
  });
});

test("[READ-2] [QUOTA-4] after a restart a volunteer reads the data of its task, and delivers what it uploaded before", async () => {
  const server = await startTestServer();
  const transfer = (url: string, token: string) => async (bytes: Uint8Array<ArrayBuffer>, method: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const path = `${url}/api/blobs/${sha256Hex(bytes)}`;
    return (await fetch(path, { method, headers, ...(method === "PUT" && { body: bytes }) })).status;
  };
  const [input, output, other] = [1, 2, 3].map((byte) => new Uint8Array([0xc4, 1, byte])) as [
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
  ];
  const customer = transfer(server.url, server.token);
  for (const bytes of [input, other]) expect(await customer(bytes, "PUT")).toBe(201);
  const id = await submit(server, [{ $ref: { sha256: sha256Hex(input), size: input.length } }]);
  const client = await new RawClient(server.url).opened();
  client.hello();
  const before = transfer(server.url, (await client.next("welcome")).ticket);
  expect(await before(input, "GET")).toBe(404);
  const { job, tasks } = await client.lease();
  expect(await before(output, "PUT")).toBe(201);
  await server.close();

  const again = await startTestServer({ dataDirectory: server.dataDirectory });
  const back = await new RawClient(again.url, { as: client.identity }).opened();
  const { index, attempt } = tasks[0]!;
  back.hello({ held: [{ job, index, attempt }] });
  const after = transfer(again.url, (await back.next("welcome")).ticket);
  expect([await after(input, "GET"), await after(other, "GET")]).toEqual([200, 404]);
  expect(await after(other, "PUT")).toBe(201);
  const outcome = { state: "done" as const, output: { sha256: sha256Hex(output), size: output.length } };
  back.send({ type: "results", job, results: [{ index, attempt, elapsedMs: 1, outcome }] });
  await back.next("accepted");
  expect(await again.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 1 } });
});

describe("order and ownership", () => {
  test("[DUR-2] a result whose blob is looked up is taken although goodbye stands behind it in the frame", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1]);
    const client = await join(server);
    const { job, tasks } = await client.lease();
    const bytes = new Uint8Array([0xc0]);
    const output = { sha256: sha256Hex(bytes), size: 1 };
    await fetch(`${server.url}/api/blobs/${output.sha256}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.token}` },
      body: bytes,
    });
    const { index, attempt } = tasks[0]!;
    const outcome = { state: "done" as const, output };
    client.send(
      { type: "results", job, results: [{ index, attempt, elapsedMs: 1, outcome }] },
      { type: "goodbye" },
    );
    await client.next("accepted");
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({
      state: "finished",
      counts: { done: 1 },
    });
  });

  test("a client writes to the log of a job only for a task that it holds", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1]);
    const holder = await join(server);
    const { job } = await holder.lease();
    const other = await join(server);
    other.send({ type: "log", job, index: 0, lines: ["forged"] }, { type: "want", tasks: 0, slots: 1 });
    holder.send({ type: "log", job, index: 0, lines: ["honest"] });
    const logs = await until(async () => {
      const lines = (await server.api("GET", `/api/jobs/${id}/logs`)) as unknown as { line: string }[];
      return lines.length > 0 ? lines : undefined;
    });
    expect(logs.map(({ line }) => line)).toEqual(["honest"]);
  });
});

test("a request that offers another protocol is answered as it is", async () => {
  const server = await startTestServer();
  // As `curl --http2` and Java's HttpClient send every request.
  const head = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAA"];
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () =>
      socket.write(["GET /healthz HTTP/1.1", "Host: localhost", ...head, "", ""].join("\r\n")),
    );
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString();
      if (text.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
});

describe("attacks", () => {
  /**
   * Sends raw bytes on a plain TCP connection; resolves with the reply once the connection has closed.
   * @param ends - false: the client's half stays open, so the server alone can close the connection
   */
  const raw = (server: TestServer, text: string, ends = true): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true }, () =>
        socket.write(text),
      );
      let answer = "";
      socket.on("data", (data) => (answer += data.toString()));
      socket.on("error", () => {});
      socket.on("close", () => resolve(answer));
      socket.on("end", () => ends && socket.end());
      onTestFinished(() => void socket.destroy());
    });
  const upgrade = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

  test.each(["//", "http://[", "/nope", "/%", "/socket/../socket"])(
    "an upgrade of %s ends that connection only",
    async (path) => {
      const server = await startTestServer();
      expect(await raw(server, upgrade(path))).toMatch(/^HTTP\/1.1 (404|400)/);
      expect(await server.api("GET", "/api/status")).toMatchObject({ jobs: 0 });
    },
  );

  test("a refused upgrade that keeps its half open does not keep the server from stopping", async () => {
    const server = await startTestServer();
    // The client never ends this connection, so its end cannot be waited for.
    void raw(server, upgrade("/nope"), false);
    await until(async () => (await server.api("GET", "/api/status"))["jobs"] !== undefined);
    const at = performance.now();
    await server.close();
    // A connection that the server does not end would keep the server from stopping.
    expect(performance.now() - at).toBeLessThan(20_000);
  });

  test("bytes that announce gigabytes are refused before hello", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).opened();
    client.socket.send(
      new Uint8Array(Array.from({ length: 40 }, () => [0xdd, 0x01, 0xc0, 0x00, 0x00]).flat()),
    );
    expect(await client.next("refuse")).toMatchObject({ code: "MALFORMED_FRAME" });
    await join(server);
  });

  test("messages of a refused client after its refusal are not read; its ticket is not valid", async () => {
    const server = await startTestServer();
    const id = await submit(server, [1]);
    const client = await new RawClient(server.url).opened();
    client.hello();
    const { ticket } = await client.next("welcome");
    const { job, tasks } = await client.lease();
    await server.api("POST", `/api/clients/${client.id}/ban`, { reason: "test" });
    client.finish(job, tasks[0]!);
    await client.closed;
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 0, queued: 1 } });
    const bytes = new Uint8Array([1, 2, 3]);
    const put = await fetch(`${server.url}/api/blobs/${sha256Hex(bytes)}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${ticket}` },
      body: bytes,
    });
    expect(put.status).toBe(401);
  });

  test("[ACCESS-2] with its token a client loses its ticket, also while it is not connected", async () => {
    const server = await startTestServer({ graceMs: 60_000 });
    const { token, id } = await server.api("POST", "/api/tokens", { role: "client", name: "node" });
    const client = await new RawClient(server.url).opened();
    client.hello({ token });
    const { ticket } = await client.next("welcome");
    client.socket.terminate();
    await client.closed;
    const status = async () => {
      const headers = { authorization: `Bearer ${ticket}` };
      return (await fetch(`${server.url}/api/blobs/${"0".repeat(64)}`, { headers })).status;
    };
    expect(await status()).toBe(404);
    await server.api("DELETE", `/api/tokens/${String(id)}`);
    expect(await status()).toBe(401);
  });

  test("more messages than a frame may hold leave as several frames", async () => {
    const server = await startTestServer({ messagesPerSecondPerClient: 100_000 });
    await submit(server, [1]);
    const client = await join(server);
    const { job, tasks } = await client.lease();
    const { index, attempt } = tasks[0]!;
    const outcome = { state: "done" as const, output: new Uint8Array([1]) };
    const message = { type: "results" as const, job, results: [{ index, attempt, elapsedMs: 1, outcome }] };
    for (let frame = 0; frame < 2; frame++) client.send(...Array.from({ length: 4096 }, () => message));
    await until(() => client.received.filter(({ type }) => type === "accepted").length >= 8192);
  });

  test("large frames of reports are bounded by their items", async () => {
    // A burst of a thousand messages, and one frame of ten.
    const server = await startTestServer({ messagesPerSecondPerClient: 100 });
    const client = await join(server);
    const progress = Array.from({ length: 4096 }, (_, index) => ({
      job: "j_aaaaaaaaaaaaaaaa" as JobId,
      index,
      attempt: 1,
      fraction: 0.5,
    }));
    client.send(...Array.from({ length: 10 }, () => ({ type: "progress" as const, progress })));
    expect(await client.next("refuse")).toMatchObject({ code: "TOO_MANY" });
  });
});
