import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import { leasedKernelBytes } from "../../shared/wire/protocol.ts";
import { submitSquares } from "../support/jobs.ts";
import { until } from "../support/processes.ts";
import { quickest } from "../support/quickest.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

describe("leases over the socket", () => {
  test("[FLOW-1] [DUR-2] lease, result, acknowledgement; and the customer's side of it", async () => {
    const server = await startTestServer();
    const id = await submitSquares(server, [1, 2, 3]);
    const client = await new RawClient(server.url).join();
    const { job, tasks } = await client.lease(2);
    expect(tasks.map(({ index }) => index)).toEqual([0, 1]);
    for (const task of tasks) client.finish(job, task);
    const accepted = [...(await client.next("accepted")).indexes];
    if (accepted.length < 2) accepted.push(...(await client.next("accepted")).indexes);
    expect(accepted.sort((a, b) => a - b)).toEqual([0, 1]);
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 2, total: 3 } });
  });

  test("[KERNEL-10] a small kernel comes with its first lease on a connection, unless the client has it", async () => {
    const server = await startTestServer();
    const make = async (source: string) => {
      const made = await server.api("POST", "/api/jobs", { kernel: { source }, inputs: [1, 2, 3, 4, 5, 6] });
      return { id: made["id"], kernel: new TextEncoder().encode(source) };
    };
    const { kernel } = await make("export default (x) => -x;");
    const client = await new RawClient(server.url).join();
    const lease = async (from: RawClient, tasks: number) => {
      from.send({ type: "want", tasks, slots: 1 });
      return from.next("lease");
    };
    expect((await lease(client, 1)).kernel).toEqual(kernel);
    expect(await lease(client, 2)).not.toHaveProperty("kernel");
    const having = await new RawClient(server.url).join({ cached: [sha256Hex(kernel)] });
    expect(await lease(having, 1)).not.toHaveProperty("kernel");
    const older = await new RawClient(server.url).join({ version: "0.2.0" });
    expect(await lease(older, 1)).not.toHaveProperty("kernel");
    const again = new RawClient(server.url, { as: client.identity });
    await again.opened();
    again.hello();
    await again.next("welcome");
    expect((await lease(again, 2)).kernel).toEqual(kernel);
  });

  test("[KERNEL-10] a kernel of more than 16 KiB does not come with a lease", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).join();
    for (const length of [leasedKernelBytes, leasedKernelBytes + 1]) {
      const source = "export default (x) => x;".padEnd(length);
      const { id } = await server.api("POST", "/api/jobs", { kernel: { source }, inputs: [1] });
      client.send({ type: "want", tasks: 1, slots: 1 });
      const { job, kernel, tasks } = await client.next("lease");
      expect(job.id).toBe(id);
      expect(kernel?.length).toBe(length === leasedKernelBytes ? length : undefined);
      client.finish(job.id, tasks[0]!);
    }
  });

  test("[ONCE-2] a result sent three times is acknowledged three times and counted once", async () => {
    const server = await startTestServer();
    const id = await submitSquares(server, [1, 2]);
    const client = await new RawClient(server.url).join();
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
    await submitSquares(server, [1]);
    const leaving = await new RawClient(server.url).join();
    await leaving.lease();
    const other = await new RawClient(server.url).join();
    other.send({ type: "want", tasks: 1, slots: 1 });
    leaving.send({ type: "goodbye" });
    expect((await other.next("lease")).tasks).toMatchObject([{ index: 0 }]);
  });

  test("[LEASE-3] a connection that breaks costs the grace time", async () => {
    const server = await startTestServer({ graceMs: 300 });
    await submitSquares(server, [1]);
    const lost = await new RawClient(server.url).join();
    await lost.lease();
    lost.socket.terminate();
    const other = await new RawClient(server.url).join();
    other.send({ type: "want", tasks: 1, slots: 1 });
    expect((await other.next("lease")).tasks).toMatchObject([{ index: 0, attempt: 2 }]);
  });

  test("[LEASE-2] a client that comes back within the grace time keeps its lease and delivers", async () => {
    const server = await startTestServer();
    const id = await submitSquares(server, [1]);
    const client = await new RawClient(server.url).join();
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
    const client = await new RawClient(server.url).join();
    const ms = await quickest(async () => {
      const id = await submitSquares(server, [1, 2]);
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
    }, 1000);
    expect(ms).toBeLessThan(1000);
  });

  test("[VALUE-3] a checkpoint goes with the task to the next client, also through a restart of the server", async () => {
    const server = await startTestServer();
    await submitSquares(server, [1]);
    const first = await new RawClient(server.url).join();
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
    const second = await new RawClient(again.url).join();
    expect((await second.lease()).tasks).toMatchObject([{ index: 0, resume: new Uint8Array([0x91, 7]) }]);
  });

  test("[VALUE-3] an output that no customer could read fails the attempt, and another client's is taken", async () => {
    const server = await startTestServer();
    const id = await submitSquares(server, [1]);
    for (const bytes of [[0xc1], [], [0x92, 1], [0xd6, 0xff, 0, 0, 0, 1]]) {
      const stranger = await new RawClient(server.url).join();
      const { job, tasks } = await stranger.lease();
      const { index, attempt } = tasks[0]!;
      const outcome = { state: "done" as const, output: Uint8Array.from(bytes) };
      stranger.send({ type: "want", tasks: 0, slots: 1 });
      stranger.send({ type: "results", job, results: [{ index, attempt, elapsedMs: 1, outcome }] });
      await stranger.next("accepted");
      stranger.send({ type: "goodbye" });
    }
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 0, failed: 0 } });
    const honest = await new RawClient(server.url).join();
    const { job, tasks } = await honest.lease();
    honest.finish(job, tasks[0]!);
    await honest.next("accepted");
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 1 } });
  });

  test("an output that names a blob nobody uploaded fails the attempt instead of losing the task", async () => {
    const server = await startTestServer();
    const id = await submitSquares(server, [1], { maxAttempts: 1 });
    const client = await new RawClient(server.url).join();
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
    const id = await submitSquares(server, [1, 2]);
    const client = await new RawClient(server.url).join();
    const { job, tasks } = await client.lease();
    await server.close();
    const again = await startTestServer({ dataDirectory: server.dataDirectory });
    const other = await new RawClient(again.url).join();
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
  const id = await submitSquares(server, [{ $ref: { sha256: sha256Hex(input), size: input.length } }]);
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
    const id = await submitSquares(server, [1]);
    const client = await new RawClient(server.url).join();
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
    const id = await submitSquares(server, [1]);
    const holder = await new RawClient(server.url).join();
    const { job } = await holder.lease();
    const other = await new RawClient(server.url).join();
    other.send({ type: "log", job, index: 0, lines: ["forged"] }, { type: "want", tasks: 0, slots: 1 });
    holder.send({ type: "log", job, index: 0, lines: ["honest"] });
    const logs = await until(async () => {
      const lines = (await server.api("GET", `/api/jobs/${id}/logs`)) as unknown as { line: string }[];
      return lines.length > 0 ? lines : undefined;
    });
    expect(logs.map(({ line }) => line)).toEqual(["honest"]);
  });
});
