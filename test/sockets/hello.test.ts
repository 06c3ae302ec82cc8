import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import { version } from "../../shared/version.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { protocolVersion } from "../../shared/wire/protocol.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

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

  test("[VERIFY-13] [UPGRADE-2] what becomes of provisional results is told to clients that know of it", async () => {
    const server = await startTestServer({ auditors: 0, heartbeatMs: 100 });
    for (const [clientVersion, fields, verdicts] of [
      ["0.2.0", ["type", "job", "indexes"], []],
      ["0.3.0", ["type", "job", "indexes", "provisional"], [{ state: "accepted", indexes: [0] }]],
    ] as const) {
      const { id } = await server.api("POST", "/api/jobs", {
        name: clientVersion,
        kernel: { source: "export default (x) => x;" },
        inputs: [1],
      });
      const client = await new RawClient(server.url).opened();
      client.hello({ version: clientVersion });
      client.send({ type: "want", tasks: 1, slots: 1 });
      const { tasks } = await client.next("lease");
      const outcome = { state: "done" as const, output: encodeValue(1) };
      const result = { index: 0, attempt: tasks[0]!.attempt, elapsedMs: 5, outcome };
      client.send({ type: "results", job: id as unknown as JobId, results: [result] });
      expect(Object.keys(await client.next("accepted"))).toEqual(fields);
      await until(
        async () => String((await server.api("GET", `/api/jobs/${String(id)}`))["state"]) === "finished",
      );
      const before = client.received.length;
      await until(() => client.received.length > before + 1);
      const heard = client.received.filter(({ type }) => type === "verdict");
      expect(heard).toMatchObject(verdicts);
      client.socket.close();
    }
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

  test("[CLIENTS-3] [UPGRADE-2] a client that is asked to reload hears it at once; one that does not know how, or is gone, is named", async () => {
    const server = await startTestServer({ heartbeatMs: 100 });
    const join = async (as: string) => {
      const client = await new RawClient(server.url).opened();
      client.hello({ version: as });
      await client.next("welcome");
      return client;
    };
    const clients = [
      await join("0.2.0"),
      await join("0.3.1"),
      await join(version),
      await join(version),
    ] as const;
    const [before, outdated, same, left] = clients;
    left.socket.close();
    await left.closed;
    await until(async () => {
      const known = (await server.api("GET", "/api/clients?state=gone")) as unknown as unknown[];
      return known.length === 1;
    });
    const listed = (await server.api("GET", "/api/clients?state=outdated&sort=version")) as unknown as {
      id: string;
    }[];
    expect(listed.map(({ id }) => id)).toEqual([before.id, outdated.id]);
    const asked = [before.id, outdated.id, left.id, "c_nobody"];
    expect(await server.api("POST", "/api/clients", { verb: "reload", clients: asked })).toEqual({
      done: 1,
      unknown: ["c_nobody"],
      unable: [before.id, left.id],
    });
    const reloads = ({ received }: RawClient) =>
      received.filter((message) => message.type === "heartbeat" && message.reload === true).length;
    await until(() => reloads(outdated) === 1);
    const heard = before.received.length;
    await until(() => before.received.length > heard + 3);
    // Asked once, and only the one that knows how.
    expect(clients.map(reloads)).toEqual([0, 1, 0, 0]);
    expect(same.socket.readyState).toBe(1);
  });

  test("the same client connecting anew replaces its old connection", async () => {
    const server = await startTestServer();
    const first = await new RawClient(server.url).join();
    await new RawClient(server.url, { as: first.identity }).join();
    await first.next("bye");
    await first.closed;
    const clients = (await server.api("GET", "/api/clients")) as unknown as { connected: boolean }[];
    expect(clients).toMatchObject([{ connected: true }]);
  });
});
