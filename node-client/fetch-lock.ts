import { closeSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { readFile, rm, stat, utimes } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { isAlive } from "./is-alive.ts";

/** A holder shows this often that it lives; one that did not for `deadMs` is taken for dead, or stopped. */
const beatMs = 2_000;
const deadMs = 10_000;

export interface FetchLock {
  release(): void;
}

/** Who waits looks on with this, and gets to know within `deadMs` that a holder on another host died. */
export interface Watch {
  mtimeMs: number;
  since: number;
}

/**
 * A lock between processes, also of several hosts on a shared file system: a name that is made exclusively. It is advisory
 * on purpose: when a holder was only stopped for long (SIGSTOP, a sleeping laptop) and its lock was broken, two fetch the
 * same blob, and nothing worse happens.
 * @returns undefined when somebody else holds it
 */
export function tryLock(path: string): FetchLock | undefined {
  const folder = dirname(path);
  let holder = holders.get(folder);
  if (!holder) holders.set(folder, (holder = new Holder(folder)));
  return holder.tryLock(path);
}

/** What a file system says that knows no hard links, as exFAT and some network shares: there each lock is a file. */
const withoutLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

const holders = new Map<string, Holder>();
process.on("exit", () => {
  for (const holder of holders.values()) holder.end();
});

/**
 * A file of this process beside its locks, each of which is one more name of it: a hard link. A file for each lock was a tenth of
 * what a client did that fetched blobs of 1 MiB: ext4, when it makes a file, looks through all that were deleted in the last
 * seconds. And without the thread pool, which took 0.35 ms more for each (see cache-files.ts).
 */
class Holder {
  readonly #path: string;
  readonly #mark = `${hostname()} ${process.pid} ${Math.random()}`;
  /** One that was broken and taken again is not released by who had it first. */
  readonly #held = new Map<string, FetchLock>();
  #beat: NodeJS.Timeout | undefined;
  #hasLinks = true;

  constructor(folder: string) {
    this.#path = join(folder, `${randomUUID()}.holder`);
  }

  tryLock(path: string): FetchLock | undefined {
    try {
      this.#make(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
      throw error;
    }
    const lock = { release: () => this.#release(path, lock) };
    this.#held.set(path, lock);
    this.#beat ??= setInterval(() => this.#showLife(), beatMs).unref();
    return lock;
  }

  end(): void {
    rmSync(this.#path, { force: true });
  }

  #make(path: string): void {
    if (!this.#hasLinks) return makeFile(path, this.#mark);
    try {
      linkSync(this.#path, path);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (withoutLinks.has(code)) this.#hasLinks = false;
      // The first lock, or one after an hour without: then another client of this directory has tidied up.
      else if (code === "ENOENT") makeFile(this.#path, this.#mark);
      else throw error;
      this.#make(path);
    }
  }

  #release(path: string, lock: FetchLock): void {
    if (this.#held.get(path) !== lock) return;
    this.#held.delete(path);
    if (this.#held.size === 0) {
      clearInterval(this.#beat);
      this.#beat = undefined;
    }
    try {
      // Broken meanwhile and another's: not ours to remove.
      if (readFileSync(path, "utf8") === this.#mark) rmSync(path, { force: true });
    } catch {
      // It is broken when this process ends.
    }
  }

  #showLife(): void {
    const now = Date.now() / 1000;
    for (const path of this.#hasLinks ? [this.#path] : this.#held.keys())
      utimes(path, now, now).catch(() => undefined);
  }
}

function makeFile(path: string, text: string): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
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
