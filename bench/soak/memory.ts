import { readdir, readFile } from "node:fs/promises";
import { statOf } from "../runs/support/process-stat.ts";

/** A process and its part of memory, in MiB. Pages that processes share count in `pss` in parts, in `rss` as a whole to each. */
interface ProcessMemory {
  readonly pid: number;
  readonly command: string;
  readonly rss: number;
  readonly pss: number;
}

/** Memory of a process and all its descendants (Linux), the process first. */
export async function memoryOfTree(root: number): Promise<ProcessMemory[]> {
  const pids = (await readdir("/proc")).map(Number).filter(Number.isInteger);
  const parents = new Map<number, number>();
  for (const pid of pids) {
    const stat = await statOf(pid).catch(() => undefined);
    if (stat) parents.set(pid, stat.parent);
  }
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
      if (at === root) return true;
    return false;
  };
  // A process may be gone by now.
  const found = await Promise.all(pids.filter(isBelow).map((pid) => memoryOf(pid).catch(() => undefined)));
  return found
    .filter((one) => one !== undefined)
    .sort((a, b) => Number(b.pid === root) - Number(a.pid === root));
}

async function memoryOf(pid: number): Promise<ProcessMemory> {
  const [rollup, command] = await Promise.all([
    readFile(`/proc/${pid}/smaps_rollup`, "utf8"),
    readFile(`/proc/${pid}/cmdline`, "utf8"),
  ]);
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(rollup)![1]) / 1024;
  return { pid, command, rss: mib("Rss"), pss: mib("Pss") };
}
