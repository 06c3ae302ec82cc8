import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  expectAllOnce,
  readClients,
  readJob,
  slowInputs,
  slowSquareSource,
  squares,
  submitJob,
} from "../support/jobs.ts";
import {
  keptPort,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
} from "../support/processes.ts";

describe("kill -9", () => {
  test("[DUR-1] [LEASE-6] of the server in mid-job: clients come back, every task ends once, none is lost", async () => {
    const [data, port] = [await temporaryDirectory(), await keptPort()];
    const server = await startServerProcess(data, port);
    await startClientProcess(server, ["--slots", "2"]);
    const id = await submitJob(server, slowSquareSource, slowInputs(60, 100));
    await until(async () => (await readJob(server, id)).counts.done >= 10);
    await server.kill();
    const again = await startServerProcess(data, port);
    const kept = (await readJob(again, id)).counts;
    expect(kept.total).toBe(60);
    expect(kept.done).toBeGreaterThanOrEqual(10);
    await until(async () => (await readJob(again, id)).state === "finished");
    await expectAllOnce(again, id, squares(60));
    // The running task was delivered, not computed anew in an attempt that counts.
    expect((await readJob(again, id)).failures).toEqual([]);
  });

  test("of the server, again and again while tiny tasks fly", async () => {
    const [data, port] = [await temporaryDirectory(), await keptPort()];
    let server = await startServerProcess(data, port);
    await startClientProcess(server, ["--slots", "2"]);
    const inputs = Array.from({ length: 3000 }, (_, x) => x);
    const id = await submitJob(server, "export default (x) => x * x;", inputs);
    for (const share of [0.1, 0.4]) {
      await until(async () => (await readJob(server, id)).counts.done >= share * inputs.length);
      await server.kill();
      server = await startServerProcess(data, port);
    }
    await until(async () => (await readJob(server, id)).state === "finished");
    await expectAllOnce(server, id, squares(inputs.length));
  });

  test("[LEASE-3] of a node client: its tasks return after the grace time and another client finishes them", async () => {
    const server = await startServerProcess(await temporaryDirectory(), ["--grace-seconds", "1"]);
    const doomed = await startClientProcess(server);
    const id = await submitJob(server, slowSquareSource, slowInputs(8, 300));
    await until(async () => (await readJob(server, id)).counts.done >= 1);
    await doomed.kill();
    await startClientProcess(server);
    await until(async () => (await readJob(server, id)).state === "finished");
    await expectAllOnce(server, id, squares(8));
  });

  test("[OUTBOX-1] a client that finished while the server was away delivers after its own restart", async () => {
    const [data, port] = [await temporaryDirectory(), await keptPort()];
    const cache = await temporaryDirectory();
    const server = await startServerProcess(data, port);
    const client = await startClientProcess(server, [], cache);
    const id = await submitJob(server, slowSquareSource, [{ x: 7, ms: 6000 }]);
    await until(async () =>
      (await readClients(server)).some(({ current }) => (current[0]?.progress ?? 0) > 0),
    );
    await server.kill();
    const before = await outboxWrittenAt(cache);
    // The kernel ends while there is no server. The outbox on disk, which its living client locks, shows it.
    await until(async () => (await outboxWrittenAt(cache)) > before);
    await client.kill();
    const again = await startServerProcess(data, port);
    await startClientProcess(again, [], cache);
    await until(async () => (await readJob(again, id)).state === "finished");
    await expectAllOnce(again, id, [49]);
  });
});

describe("SIGTERM", () => {
  test("[LEASE-4] a client hands back what it cannot finish and exits 0; no attempt is counted", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const client = await startClientProcess(server);
    const id = await submitJob(server, slowSquareSource, [{ x: 3, ms: 30_000 }], { maxAttempts: 1 });
    await until(async () => (await readJob(server, id)).counts.running === 1);
    const at = performance.now();
    expect(await client.terminate()).toBe(0);
    // The client gives a task eight seconds, and this task would take thirty.
    expect(performance.now() - at).toBeLessThan(25_000);
    await until(async () => (await readJob(server, id)).counts.queued === 1);
    expect((await readJob(server, id)).counts).toMatchObject({ queued: 1, failed: 0 });
  });

  test("the server exits 0 in mid-job, and its clients wait for it", async () => {
    const [data, port] = [await temporaryDirectory(), await keptPort()];
    const server = await startServerProcess(data, port);
    await startClientProcess(server, ["--slots", "2"]);
    const id = await submitJob(server, slowSquareSource, slowInputs(20, 200));
    await until(async () => (await readJob(server, id)).counts.done >= 2);
    expect(await server.terminate()).toBe(0);
    const again = await startServerProcess(data, port);
    await until(async () => (await readJob(again, id)).state === "finished");
    await expectAllOnce(again, id, squares(20));
  });
});

async function outboxWrittenAt(cache: string): Promise<number> {
  const directory = join(cache, "clients", "1");
  // A file that was renamed meanwhile is there under its new name the next time.
  const times = (await readdir(directory)).map((file) =>
    stat(join(directory, file)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  return Math.max(...(await Promise.all(times)));
}
