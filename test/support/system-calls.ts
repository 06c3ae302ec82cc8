import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { until } from "./processes.ts";

/**
 * A system call of a traced process. Positions count lines of the trace: a call is over before another begins if `end < start`.
 */
export interface SystemCall {
  readonly name: string;
  /** Arguments as the tracer prints them, descriptors with their paths: `21</data/x.sqlite-wal>, "…"…, 24`. */
  readonly args: string;
  readonly result: string;
  readonly start: number;
  readonly end: number;
}

/** The reason why this machine cannot trace processes; undefined when it can. */
export function whyNotTraced(): string | undefined {
  const { status, error } = spawnSync("strace", ["-f", "-e", "trace=fsync", "true"]);
  if (error) return "strace is not installed";
  return status === 0 ? undefined : "this machine lets no process be traced";
}

/**
 * A command that runs another command and writes its system calls to a file. The other command is the direct child, so signals
 * reach it.
 */
export function tracing(file: string, calls: readonly string[]): readonly string[] {
  return ["strace", "-D", "-f", "-y", "-s", "400", "-e", `trace=${calls.join(",")}`, "-o", file];
}

/** The calls in a trace, after its process has ended. */
export async function readTrace(file: string, pid: number): Promise<SystemCall[]> {
  const text = await until(async () => {
    const written = await readFile(file, "utf8");
    return new RegExp(`^${pid} +\\+\\+\\+ (exited|killed)`, "m").test(written) ? written : undefined;
  });
  const calls: SystemCall[] = [];
  const begun = new Map<string, { name: string; args: string; start: number }>();
  text.split("\n").forEach((line, at) => {
    const [, thread = "", what = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const whole = /^(\w+)\((.*)\) += (\S+)/.exec(what);
    const first = /^(\w+)\((.*) <unfinished \.\.\.>$/.exec(what);
    const second = /^<\.\.\. (\w+) resumed>(.*)\) += (\S+)/.exec(what);
    if (whole) calls.push({ name: whole[1]!, args: whole[2]!, result: whole[3]!, start: at, end: at });
    if (first) begun.set(thread, { name: first[1]!, args: first[2]!, start: at });
    const before = second && begun.get(thread);
    if (before) calls.push({ ...before, args: before.args + second[2]!, result: second[3]!, end: at });
  });
  return calls;
}
