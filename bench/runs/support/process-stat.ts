import { readFile, writeFile } from "node:fs/promises";

/** Resident memory of a process (Linux), in MiB: now, and the peak. */
export async function memoryOf(pid: number): Promise<{ rssMib: number; peakMib: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const mib = (name: string): number => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
    if (kib === undefined) throw new Error(`/proc/${pid}/status tells no ${name}`);
    return Number(kib) / 1024;
  };
  return { rssMib: mib("VmRSS"), peakMib: mib("VmHWM") };
}

/** Forgets the peak of a process, so that the next {@link memoryOf} tells the peak since now. */
export async function resetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}

/** Seconds of processor time a process has used. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const { utime, stime } = await statOf(pid);
  return utime + stime;
}

/** Seconds of processor time of the children of a process, living and ended. */
export async function childSecondsOf(pid: number): Promise<number> {
  const living = await childrenOf(pid);
  const seconds = await Promise.all(living.map((child) => cpuSecondsOf(child).catch(() => 0)));
  const { cutime, cstime } = await statOf(pid);
  return seconds.reduce((sum, one) => sum + one, cutime + cstime);
}

/** The living children of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.split(" ").filter(Boolean).map(Number);
}

/** Counts of the writes of processes to files. */
export interface Disk {
  /** Calls of the system that wrote. */
  readonly writes: number;
  /** Bytes that went to disks. */
  readonly diskBytes: number;
}

/** Sums of /proc/PID/io (proc(5)) over living processes. */
export async function diskOf(pids: readonly number[]): Promise<Disk> {
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/io`, "utf8").catch(() => "")));
  const sum = (name: string): number =>
    texts.reduce((all, text) => all + Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0), 0);
  return { writes: sum("syscw"), diskBytes: sum("write_bytes") };
}

/** Ticks of a Linux clock a second, as /proc counts processor time. */
const ticksPerSecond = 100;

interface Stat {
  readonly parent: number;
  /** Seconds of processor time in the program and in the kernel; of ended children too. */
  readonly utime: number;
  readonly stime: number;
  readonly cutime: number;
  readonly cstime: number;
}

/**
 * Part of /proc/PID/stat (proc(5)). The name of the program may contain any character, so fields are counted after its last
 * bracket.
 */
export async function statOf(pid: number): Promise<Stat> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const seconds = (field: number): number => Number(fields[field]) / ticksPerSecond;
  const [utime, stime, cutime, cstime] = [seconds(11), seconds(12), seconds(13), seconds(14)];
  return { parent: Number(fields[1]), utime, stime, cutime, cstime };
}
