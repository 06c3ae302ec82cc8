/**
 * CPU time of a tiny task in the customer's process and in the server, by phase: submitting without a client, reading the
 * results of a job that is done, and both at once with a node client at work.
 * `node bench/runs/customer/tiny-tasks.ts [--tasks 60000] [--bytes 100] [--slots 1] [--prof DIR]`: µs of the customer's CPU a
 * task, submitting and awaiting together. `--prof`: a CPU profile of every phase of the customer, in a directory.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { cpuProfile, startScript } from "../support/children.ts";
import { connectTo, startClient, startServer } from "../support/platform.ts";
import { cpuSecondsOf } from "../support/process-stat.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "60000" },
    bytes: { type: "string", default: "100" },
    slots: { type: "string", default: "1" },
    prof: { type: "string" },
    phase: { type: "string" },
    url: { type: "string", default: "" },
    token: { type: "string", default: "" },
    job: { type: "string", default: "" },
  },
});
const tasks = Number(values.tasks);

interface Measured {
  /** µs of the customer's CPU a task. */
  readonly cpu: number;
  readonly tasksPerSecond: number;
  /** Ms from the call to the first outcome. */
  readonly firstMs?: number | undefined;
  readonly job?: string | undefined;
}

if (values.phase === undefined) await measureAll();
else console.log(JSON.stringify(await runPhase(values.phase)));

/** Runs a phase of a customer in a process of its own. */
async function runPhase(phase: string): Promise<Measured> {
  await using hands = await connectTo(values);
  const same = (input: Uint8Array): Uint8Array => input;
  const value = new Uint8Array(Number(values.bytes)).fill(7);
  const inputs = Array.from({ length: tasks }, () => value);
  const before = process.cpuUsage();
  const start = performance.now();
  let firstMs: number | undefined;
  let job: string | undefined;
  let count = 0;
  if (phase === "submit") {
    const made = hands.map(same, inputs);
    await made.submitted;
    job = await made.id;
    count = tasks;
  } else if (phase === "await") {
    count = (await hands.job<Uint8Array>(values.job)).length;
  } else {
    const outcomes = phase === "iterate" ? hands.job(values.job) : hands.map(same, inputs);
    for await (const outcome of outcomes) {
      firstMs ??= performance.now() - start;
      if (!outcome.error) count++;
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  if (count !== tasks) throw new Error(`${count} results of ${tasks} tasks`);
  return { cpu: (user + system) / tasks, tasksPerSecond: tasks / seconds, firstMs, job };
}

async function measureAll(): Promise<never> {
  const server = await startServer();
  const hands = await connectTo(server);
  const extras: Record<string, number> = {};
  const phase = async (name: string, job = ""): Promise<Measured> => {
    const before = await cpuSecondsOf(server.pid);
    const sizes = ["--tasks", values.tasks, "--bytes", values.bytes];
    const where = ["--url", server.url, "--token", server.token, "--job", job];
    const nodeFlags = cpuProfile(values.prof);
    const customer = startScript("customer/tiny-tasks.ts", ["--phase", name, ...sizes, ...where], {
      nodeFlags,
    });
    const measured = JSON.parse(await customer.line()) as Measured;
    await customer.ended;
    const serverCpu = (((await cpuSecondsOf(server.pid)) - before) * 1e6) / tasks;
    extras[`${name} µs`] = rounded(measured.cpu, 2);
    extras[`${name} server µs`] = rounded(serverCpu, 2);
    extras[`${name} tasks/s`] = Math.round(measured.tasksPerSecond);
    if (measured.firstMs !== undefined) extras[`${name} first ms`] = Math.round(measured.firstMs);
    return measured;
  };
  const submitted = await phase("submit");
  await startClient(server, "node", Number(values.slots));
  while ((await hands.job(submitted.job!).status()).state !== "finished") await wait(100);
  const awaited = await phase("await", submitted.job);
  await phase("iterate", submitted.job);
  await phase("whole");
  return report(rounded(submitted.cpu + awaited.cpu, 2), extras);
}
