/** Keeps a list of process ids that comes in on standard input, one `+pid` or `-pid` a line; kills them when it ends. */
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
    // It ended by itself.
  }
