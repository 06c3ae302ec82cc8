/** Reads process ids from standard input, a `+pid` or `-pid` on each line, and kills the listed processes when the input ends. */
import { createInterface } from "node:readline";

const guarded = new Set<number>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith("+")) guarded.add(pid);
  else guarded.delete(pid);
}
for (const pid of guarded)
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended by itself.
  }
