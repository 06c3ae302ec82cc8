import { readFileSync } from "node:fs";

/** The most memory that a process ever had resident, in MiB, as Linux counts it (VmHWM). */
export function peakMemoryMib(pid: number): number {
  return field(pid, "VmHWM");
}

/** What it has resident now, in MiB. */
export function memoryMib(pid: number): number {
  return field(pid, "VmRSS");
}

function field(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status tells no ${name}`);
  return Number(kib) / 1024;
}
