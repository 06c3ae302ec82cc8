import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { submitSquares } from "../support/jobs.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

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
    const other = await new RawClient(server.url).join();
    const client = await new RawClient(server.url).join();
    send(client);
    expect(await client.next("refuse")).toMatchObject({ code: "MALFORMED_FRAME" });
    expect(await client.closed).toMatchObject({ code: 4400 });
    await submitSquares(server, [3]);
    expect((await other.lease()).tasks).toHaveLength(1);
  });

  test("[PROTO-2] a frame over the limit ends that connection", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).join();
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
    const client = await new RawClient(server.url).join();
    for (let i = 0; i < 200; i++) client.send({ type: "want", tasks: 0, slots: 1 });
    expect(await client.next("refuse")).toMatchObject({ code: "TOO_MANY" });
  });

  test("bytes that announce gigabytes are refused before hello", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).opened();
    client.socket.send(
      new Uint8Array(Array.from({ length: 40 }, () => [0xdd, 0x01, 0xc0, 0x00, 0x00]).flat()),
    );
    expect(await client.next("refuse")).toMatchObject({ code: "MALFORMED_FRAME" });
    await new RawClient(server.url).join();
  });
});

describe("many messages", () => {
  test("more messages than a frame may hold leave as several frames", async () => {
    const server = await startTestServer({ messagesPerSecondPerClient: 100_000 });
    await submitSquares(server, [1]);
    const client = await new RawClient(server.url).join();
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
    const client = await new RawClient(server.url).join();
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
