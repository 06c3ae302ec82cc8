import { readFile } from "node:fs/promises";

/** Short enough that a kernel that fills memory is met early, long enough to cost nothing: one read is about 30 µs. */
const everyMs = 250;

/**
 * Looks at a process's resident memory while `watching`, where /proc tells it, and calls back once when it is over the
 * limit. V8's own limit does not count ArrayBuffers and WebAssembly memories.
 */
export function watchMemory(
  pid: number,
  limitMb: number,
  exceeded: (residentMb: number) => void,
): () => void {
  if (process.platform !== "linux") return () => undefined;
  let busy = false;
  const look = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    const residentMb = await residentMemoryMb(pid);
    busy = false;
    if (residentMb === undefined || residentMb <= limitMb) return;
    clearInterval(timer);
    exceeded(residentMb);
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Resident memory of a process in MiB; undefined when it is gone or the system does not tell. */
async function residentMemoryMb(pid: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "latin1");
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}
