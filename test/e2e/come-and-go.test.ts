import { spawnSync } from "node:child_process";
import { describe, expect, onTestFinished, test } from "vitest";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import {
  expectAllOnce,
  readClients,
  readJob,
  request,
  slowInputs,
  slowSquareSource,
  squares,
  submitJob,
} from "../support/jobs.ts";
import {
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type Running,
  type RunningServerProcess,
} from "../support/processes.ts";

/** Short times, so that a second exceeds the grace time by far. */
const impatient = ["--grace-seconds", "0.5", "--heartbeat-seconds", "0.3"];

describe("clients that come and go", () => {
  test("a client that joins in mid-job gets its part", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    await startClientProcess(server, ["--name", "first"]);
    const inputs = slowInputs(60, 150);
    const id = await submitJob(server, slowSquareSource, inputs.slice(0, 20), { open: true });
    await until(async () => (await readJob(server, id)).counts.done >= 3);
    await startClientProcess(server, ["--name", "second"]);
    await until(async () => (await readClients(server)).filter(({ connected }) => connected).length === 2);
    const rest = inputs.slice(20).map((input) => ({ input }));
    await request(server, "POST", `/api/jobs/${id}/tasks?close=1`, rest);
    await finished(server, id);
    await expectAllOnce(server, id, squares(60));
    const done = (await readClients(server)).map((client) => client.done);
    expect(done).toHaveLength(2);
    expect(Math.min(...done)).toBeGreaterThanOrEqual(1);
  });

  test("[LEASE-3] [LEASE-4] a job that no client stays for is done by all of them together", async () => {
    const server = await startServerProcess(await temporaryDirectory(), impatient);
    const id = await submitJob(server, slowSquareSource, slowInputs(30, 60), { maxAttempts: 20 });
    for (let round = 0; (await readJob(server, id)).state !== "finished"; round++) {
      const client = await startClientProcess(server);
      const before = (await readJob(server, id)).counts.done;
      await until(async () => {
        const { counts, state } = await readJob(server, id);
        return counts.done >= before + 7 || state === "finished";
      });
      if (round % 2 === 0) await client.kill();
      else expect(await client.terminate()).toBe(0);
    }
    await expectAllOnce(server, id, squares(30));
    expect((await readJob(server, id)).counts.failed).toBe(0);
  });

  test("[LEASE-3] a laptop that sleeps past the grace time: another finishes its task, and it goes on when it wakes", async () => {
    const server = await startServerProcess(await temporaryDirectory(), impatient);
    const laptop = await startClientProcess(server, ["--name", "laptop"]);
    const id = await submitJob(server, slowSquareSource, slowInputs(40, 200));
    await until(async () => (await readJob(server, id)).counts.done >= 2);
    const asleep = family(laptop);
    for (const pid of asleep) process.kill(pid, "SIGSTOP");
    onTestFinished(() => asleep.forEach((pid) => tryKill(pid, "SIGCONT")));
    await until(async () => (await readJob(server, id)).counts.running === 0);
    const desktop = await startClientProcess(server, ["--name", "desktop"]);
    await until(async () => (await readJob(server, id)).counts.done >= 6);
    expect(await desktop.terminate()).toBe(0);
    const { done } = (await readJob(server, id)).counts;
    expect(done).toBeLessThan(40);
    for (const pid of asleep) process.kill(pid, "SIGCONT");
    // Only the laptop is connected now.
    await finished(server, id);
    await expectAllOnce(server, id, squares(40));
  });

  test("a network that drops for longer than the grace time, with connections that survive it", async () => {
    const { server, proxy, id } = await throughProxy();
    proxy.freeze();
    await until(async () => (await readJob(server, id)).counts.running === 0);
    const { done } = (await readJob(server, id)).counts;
    expect(done).toBeLessThan(20);
    proxy.thaw();
    await finished(server, id);
    await expectAllOnce(server, id, squares(20));
  });

  test("[PROTO-3] a network that drops and takes every connection with it", async () => {
    const { server, proxy, client, id } = await throughProxy();
    const before = proxy.connections;
    proxy.freeze();
    // The client notices the silence by itself, and its retries get no answer either.
    await until(() => proxy.connections > before);
    await until(async () => (await readJob(server, id)).counts.running === 0);
    proxy.cutAll();
    proxy.thaw();
    await finished(server, id);
    await expectAllOnce(server, id, squares(20));
    expect(client.process.exitCode).toBeNull();
  });

  test("--exit-when-server-gone: a client whose server was killed gives its machine back", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const client = await startClientProcess(server, ["--exit-when-server-gone", "0.5"]);
    await until(() => /Connected/.test(client.log()));
    await server.kill();
    expect(await client.ended).toBe(3);
    expect(client.log()).toMatch(/The server at .* is gone/);
  });
});

async function finished(server: RunningServerProcess, id: string): Promise<void> {
  await until(async () => (await readJob(server, id)).state === "finished", 45_000);
}

/** A client behind a proxy, in the middle of a job. */
async function throughProxy(): Promise<{
  server: RunningServerProcess;
  proxy: FlakyProxy;
  client: Running;
  id: string;
}> {
  const server = await startServerProcess(await temporaryDirectory(), impatient);
  const proxy = await FlakyProxy.start(server.url);
  onTestFinished(() => proxy.close());
  const client = await startClientProcess({ url: proxy.url, token: server.token });
  const id = await submitJob(server, slowSquareSource, slowInputs(20, 200));
  await until(async () => (await readJob(server, id)).counts.done >= 2);
  return { server, proxy, client, id };
}

/** A process and its children, all of which sleep when a machine sleeps. */
function family({ process: { pid } }: Running): number[] {
  const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
  return [pid!, ...stdout.trim().split(/\s+/).filter(Boolean).map(Number)];
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has ended.
  }
}
