/**
 * Reads process ids from standard input, a `+pid` or `-pid` on each line, and kills the listed processes when the input ends. Of a process with
 * a mark (`+pid mark`) all is killed that it started.
 */
import { createInterface } from "node:readline";
import { killTree } from "../commands/process-tree.ts";

const guarded = new Map<number, string | undefined>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const [id, mark] = line.slice(1).split(/ (.*)/s);
  const pid = Number(id);
  if (line.startsWith("+")) guarded.set(pid, mark);
  else guarded.delete(pid);
}
for (const [pid, mark] of guarded)
  try {
    if (mark === undefined) process.kill(pid, "SIGKILL");
    else killTree(pid, mark);
  } catch {
    // The process has ended by itself.
  }
