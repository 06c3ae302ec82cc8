import { readFile } from "node:fs/promises";

/**
 * Period of checks: short enough to notice a kernel that fills memory early, long enough that a check of about 60 µs costs
 * nothing.
 */
const everyMs = 250;

interface MemoryWatch {
  readonly pid: number;
  readonly limitMb: number;
  /** Whether the process has been given something to do; an idle process is stopped, and grows no more. */
  readonly isBusy: () => boolean;
  readonly exceeded: (residentMb: number) => void;
}

/**
 * Checks a process's resident memory, where /proc shows it, and calls back once when it exceeds the limit. V8's own limit does
 * not count ArrayBuffers and WebAssembly memories.
 *
 * @returns a function that ends the watch
 */
export function watchMemory({ pid, limitMb, isBusy, exceeded }: MemoryWatch): () => void {
  if (process.platform !== "linux") return () => undefined;
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking || !isBusy()) return;
    looking = true;
    const residentMb = await residentMemoryMb(pid);
    looking = false;
    if (residentMb === undefined || residentMb <= limitMb) return;
    clearInterval(timer);
    exceeded(residentMb);
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Resident memory of a process in MiB; undefined when the process is gone or the system does not show it. */
async function residentMemoryMb(pid: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "latin1");
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}
