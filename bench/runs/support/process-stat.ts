import { readFile } from "node:fs/promises";

/** Bytes of memory of a process (Linux): now, and the most it ever had. */
export async function memoryOf(pid: number): Promise<{ rssBytes: number; peakBytes: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
  return { rssBytes: kib("VmRSS") * 1024, peakBytes: kib("VmHWM") * 1024 };
}

/** Ticks of a Linux clock a second, as /proc counts processor time. */
const ticksPerSecond = 100;

/** Seconds of processor time a process has used. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const fields = await statFields(pid);
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** The name of the program may hold spaces; what follows its bracket is fixed (proc(5)): utime and stime, then those of children that ended, are 11 to 14. */
async function statFields(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Seconds of processor time of the processes that a process started: of those that live, and of those that have ended. */
export async function childSecondsOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const living = children.split(" ").filter(Boolean).map(Number);
  const seconds = await Promise.all(living.map((child) => cpuSecondsOf(child).catch(() => 0)));
  const fields = await statFields(pid);
  const ended = (Number(fields[13]) + Number(fields[14])) / ticksPerSecond;
  return seconds.reduce((sum, one) => sum + one, ended);
}

/** Forgets the most that a process ever had, so that the next {@link memoryOf} tells the peak since now. */
export async function resetPeak(pid: number): Promise<void> {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}
