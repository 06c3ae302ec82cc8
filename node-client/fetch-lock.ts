import { open, readFile, rm, stat, utimes, type FileHandle } from "node:fs/promises";
import { hostname } from "node:os";

/** A holder shows this often that it lives; one that did not for `deadMs` is taken for dead, or stopped. */
const beatMs = 2_000;
const deadMs = 10_000;

export interface FetchLock {
  release(): Promise<void>;
}

/** Who waits looks on with this, and gets to know within `deadMs` that a holder on another host died. */
export interface Watch {
  mtimeMs: number;
  since: number;
}

/**
 * A lock between processes, also of several hosts on a shared file system: a file that is made exclusively. It is advisory
 * on purpose: when a holder was only stopped for long (SIGSTOP, a sleeping laptop) and its lock was broken, two fetch the
 * same blob, and nothing worse happens.
 * @returns undefined when somebody else holds it
 */
export async function tryLock(path: string): Promise<FetchLock | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  }
  const mark = `${hostname()} ${process.pid} ${Math.random()}`;
  try {
    await file.writeFile(mark);
  } finally {
    await file.close();
  }
  const beat = setInterval(() => {
    const now = Date.now() / 1000;
    utimes(path, now, now).catch(() => undefined);
  }, beatMs);
  beat.unref();
  return {
    async release() {
      clearInterval(beat);
      // Broken meanwhile and another's: not ours to remove.
      if ((await readFile(path, "utf8").catch(() => "")) === mark) await rm(path, { force: true });
    },
  };
}

/**
 * Removes the lock of a holder that died: on this host by its process, elsewhere because its file stays as it is. Measured
 * by the waiting process's own clock, so the clocks of hosts need not agree.
 * @param watch - what this waiter saw last; changed here
 */
export async function breakIfDead(path: string, watch: Watch, now: number): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return;
  if (found.mtimeMs !== watch.mtimeMs) {
    watch.mtimeMs = found.mtimeMs;
    watch.since = now;
  }
  const [host, pid] = (await readFile(path, "utf8").catch(() => "")).split(" ");
  const died = host === hostname() && pid !== undefined && !isAlive(Number(pid));
  if (died || now - watch.since >= deadMs) await rm(path, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
