import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A run that hangs is a failed run. The longest honest one (10⁶ tasks) takes under three minutes. */
const longestRunMs = 900_000;
const endMs = 10_000;

/** What a run printed as its last line. */
export interface Measurement {
  readonly value: number;
  readonly [extra: string]: number | string;
}

const running = new Set<ChildProcess>();

/**
 * The command that also ends the program when this process is killed outright: nothing of a benchmark is left behind. Where
 * there is no setpriv (it is Linux's), the program as it is.
 */
export function boundToUs(program: string, args: readonly string[]): [string, string[]] {
  hasSetpriv ??= spawnSync("setpriv", ["--pdeathsig", "TERM", "true"]).status === 0;
  return hasSetpriv ? ["setpriv", ["--pdeathsig", "TERM", program, ...args]] : [program, [...args]];
}
let hasSetpriv: boolean | undefined;

/** Runs a program in a process group and with a TMPDIR of its own; returns the JSON object of its last line. */
export async function measureOnce(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-bench-run-"));
  try {
    return await runToEnd(program, args, { ...env, TMPDIR: directory });
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

async function runToEnd(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Measurement> {
  const [command, commandArgs] = boundToUs(program, args);
  const child = spawn(command, commandArgs, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-20_000)));
  const timeout = setTimeout(() => signal(child, "SIGKILL"), longestRunMs);
  const [code, by] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timeout);
  running.delete(child);
  // Whatever it started and left.
  signal(child, "SIGKILL");
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${by ?? code}\n${errors || output}`);
  return parseMeasurement(output, args.join(" "));
}

function parseMeasurement(output: string, name: string): Measurement {
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  try {
    const measured = JSON.parse(line) as Measurement;
    if (Number.isFinite(measured.value)) return measured;
  } catch {
    // Told below, with what was there instead.
  }
  throw new Error(`the last line of ${name} is no {"value": number}: ${line.slice(0, 200)}`);
}

/** Ends every run under way; they get the time to end what they started. */
export async function endRuns(): Promise<void> {
  const ended = [...running].map(async (child) => {
    const gone = once(child, "close");
    signal(child, "SIGTERM");
    const late = setTimeout(() => signal(child, "SIGKILL"), endMs);
    await gone;
    clearTimeout(late);
  });
  await Promise.all(ended);
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name);
  } catch {
    // The group is gone.
  }
}
