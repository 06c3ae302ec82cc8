import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A run that hangs is a failed run. The longest honest one (10⁶ tasks) takes under three minutes. */
const longestRunMs = 900_000;
const endMs = 10_000;

/** The last line that a run printed. */
export interface Measurement {
  readonly value: number;
  readonly [extra: string]: number | string;
}

/**
 * The command that also ends the program when this process is killed outright, so that no process of a benchmark stays behind.
 * Without setpriv, which is Linux's, the program as it is.
 */
export function boundToUs(program: string, args: readonly string[]): [string, string[]] {
  hasSetpriv ??= spawnSync("setpriv", ["--pdeathsig", "INT", "true"]).status === 0;
  return hasSetpriv ? ["setpriv", ["--pdeathsig", "INT", program, ...args]] : [program, [...args]];
}
let hasSetpriv: boolean | undefined;

/**
 * Runs a program in a process group and with a TMPDIR of its own; returns the JSON object of its last line. Aborting `stop`
 * ends the run; the reason is thrown when processes and files of the run are gone.
 */
export async function measureOnce(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stop: AbortSignal,
): Promise<Measurement> {
  stop.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), "manyhands-bench-run-"));
  try {
    return await runToEnd(program, args, { ...env, TMPDIR: directory }, stop);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

async function runToEnd(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stop: AbortSignal,
): Promise<Measurement> {
  const [command, commandArgs] = boundToUs(program, args);
  const child = spawn(command, commandArgs, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-20_000)));
  const closed = once(child, "close");
  const { code, by } = await exitOf(child, stop);
  // Processes that the run left behind may hold its output open.
  signalGroup(child, "SIGKILL");
  await closed;
  stop.throwIfAborted();
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${by ?? code}\n${errors || output}`);
  return parseMeasurement(output, args.join(" "));
}

/** Waits for a run to end; ends a run that hangs or whose `stop` is aborted. */
async function exitOf(
  child: ChildProcess,
  stop: AbortSignal,
): Promise<{ code: number | null; by: string | null }> {
  const end = (): void => signalGroup(child, "SIGKILL");
  const timers = [setTimeout(end, longestRunMs)];
  const interrupt = (): void => {
    // Puppeteer ends its browser, which has a process group of its own, on this signal.
    signalGroup(child, "SIGINT");
    timers.push(setTimeout(end, endMs));
  };
  stop.addEventListener("abort", interrupt, { once: true });
  const [code, by] = (await once(child, "exit")) as [number | null, string | null];
  stop.removeEventListener("abort", interrupt);
  for (const timer of timers) clearTimeout(timer);
  return { code, by };
}

function parseMeasurement(output: string, name: string): Measurement {
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  try {
    const measured = JSON.parse(line) as Measurement;
    if (Number.isFinite(measured.value)) return measured;
  } catch {
    // The error below shows the line.
  }
  throw new Error(`the last line of ${name} is no {"value": number}: ${line.slice(0, 200)}`);
}

function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name);
  } catch {
    // The group is gone.
  }
}
