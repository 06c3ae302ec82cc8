/**
 * What a tiny task costs the customer's process and the server in CPU time, by phase: submitting without a client, reading
 * the results of a job that is done, and both at once with a node client at work.
 * `node bench/runs/customer/tiny-tasks.ts [--tasks 60000] [--bytes 100] [--slots 1]`. The last line is JSON; `value` is the
 * customer's µs of CPU a task, submitting and awaiting together. MANYHANDS_BENCH_PROFILE=server (client, submit, await …)
 * leaves a CPU profile of that process in the working directory.
 *
 * Measured on two shared cores, 60,000 tasks of 100 bytes, µs of the customer's CPU a task, with an item a task → with packs:
 * submitting 8.3 → 2.7, awaiting 9.1 → 2.7, iterating 6.1 → 2.7, all at once 14.6 → 4.9; first result after 138 → 46 ms.
 * The server's share: submitting 6.8 → 3.5, awaiting 4.5 → 2.7, most of it the store.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect } from "../../../customer/index.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "60000" },
    bytes: { type: "string", default: "100" },
    slots: { type: "string", default: "1" },
    phase: { type: "string" },
    job: { type: "string" },
  },
});
const tasks = Number(values.tasks);
const launcher = join(import.meta.dirname, "..", "..", "..", "bin", "manyhands.js");
const same = (input: Uint8Array): Uint8Array => input;

interface Measured {
  /** µs of this process's CPU a task. */
  readonly cpu: number;
  readonly tasksPerSecond: number;
  /** From the call to the first outcome. */
  readonly firstMs?: number;
  readonly job?: string;
}

if (values.phase === undefined) await orchestrate();
else console.log(JSON.stringify(await runPhase(values.phase)));

/** One phase of a customer, in a process of its own. */
async function runPhase(phase: string): Promise<Measured> {
  await using hands = await connect(undefined, { connectMs: 30_000 });
  const value = new Uint8Array(Number(values.bytes)).fill(7);
  const inputs = Array.from({ length: tasks }, () => value);
  const cpu = process.cpuUsage();
  const start = performance.now();
  let firstMs: number | undefined;
  let job: string | undefined;
  if (phase === "submit") {
    const made = hands.map(same, inputs);
    await made.submitted;
    job = await made.id;
  } else if (phase === "await") {
    mustBe((await hands.job<Uint8Array>(values.job!)).length);
  } else if (phase === "iterate") {
    let count = 0;
    for await (const outcome of hands.job(values.job!)) if (!outcome.error) count++;
    mustBe(count);
  } else {
    let count = 0;
    for await (const outcome of hands.map(same, inputs)) {
      firstMs ??= performance.now() - start;
      if (!outcome.error) count++;
    }
    mustBe(count);
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpu: (user + system) / tasks,
    tasksPerSecond: tasks / seconds,
    ...(firstMs && { firstMs }),
    ...(job && { job }),
  };
}

function mustBe(count: number): void {
  if (count !== tasks) throw new Error(`${count} results of ${tasks} tasks`);
}

async function orchestrate(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-bench-"));
  process.env["XDG_STATE_HOME"] = join(directory, "state");
  const children: ChildProcess[] = [];
  const start = (...args: string[]): ChildProcess => {
    const profiled = args[0] === process.env["MANYHANDS_BENCH_PROFILE"] ? ["--cpu-prof"] : [];
    const child = spawn(process.execPath, [...profiled, launcher, ...args], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    child.stdout.resume();
    children.push(child);
    return child;
  };
  try {
    const server = start("server", "--port", "0", "--data", join(directory, "data"));
    process.env["MANYHANDS_SERVER"] = await addressOf(server);
    await using hands = await connect(undefined, { connectMs: 30_000 });
    const measured: Record<string, Measured & { server: number }> = {};
    const phase = async (name: string, job?: string): Promise<Measured> => {
      const before = cpuOf(server);
      const result = await child(name, job);
      measured[name] = { ...result, server: ((cpuOf(server) - before) * 1e6) / tasks };
      return result;
    };
    const { job } = await phase("submit");
    start("client", "--slots", values.slots, "--cache-dir", join(directory, "cache"));
    while ((await hands.job(job!).status()).state !== "finished") await sleep(100);
    await phase("await", job);
    await phase("iterate", job);
    await phase("whole");
    for (const [name, { cpu, server: serverCpu, tasksPerSecond, firstMs }] of Object.entries(measured))
      console.log(
        `${name.padEnd(8)} customer ${cpu.toFixed(2)} µs, server ${serverCpu.toFixed(2)} µs of CPU a task; ${Math.round(tasksPerSecond)} tasks/s${firstMs ? `, first result after ${Math.round(firstMs)} ms` : ""}`,
      );
    console.log(JSON.stringify({ value: measured["submit"]!.cpu + measured["await"]!.cpu, ...measured }));
  } finally {
    for (const child of children) {
      const exited = once(child, "exit");
      if (child.kill("SIGTERM")) await exited;
    }
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function child(phase: string, job?: string): Promise<Measured> {
  const profiled = process.env["MANYHANDS_BENCH_PROFILE"] === phase ? ["--cpu-prof"] : [];
  const args = [...profiled, import.meta.filename, "--phase", phase, "--tasks", values.tasks];
  const started = spawn(
    process.execPath,
    [...args, "--bytes", values.bytes, ...(job ? ["--job", job] : [])],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let text = "";
  started.stdout.on("data", (chunk) => (text += String(chunk)));
  await once(started, "close");
  return JSON.parse(text) as Measured;
}

/** Seconds of CPU that a process has used; Linux counts in hundredths. */
function cpuOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Where a server says that it listens. */
function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    server.stdout?.on("data", (chunk) => {
      text += String(chunk);
      const [address] = /http:\/\/localhost:\d+/.exec(text) ?? [];
      if (address !== undefined) resolve(address);
    });
    server.once("exit", () => reject(new Error("the server ended before it listened")));
  });
}
