import { closeSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { readFile, rm, stat, utimes } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { isAlive } from "./is-alive.ts";

/** A holder updates its file's time this often. A file without an update for `deadMs` belongs to a dead or stopped holder. */
const beatMs = 2_000;
const deadMs = 10_000;

export interface FetchLock {
  release(): void;
}

/** A waiting process's view of a lock, by which it notices within `deadMs` that a holder on another host died. */
export interface Watch {
  mtimeMs: number;
  since: number;
}

/**
 * A lock between processes, also of several hosts on a shared file system: a name that is created exclusively. The lock is
 * advisory: when a stopped holder (SIGSTOP, a sleeping laptop) loses its lock to another process, both fetch the same blob, and
 * no more harm is done.
 * @returns undefined when another process holds the lock
 */
export function tryLock(path: string): FetchLock | undefined {
  const folder = dirname(path);
  let holder = holders.get(folder);
  if (!holder) holders.set(folder, (holder = new Holder(folder)));
  return holder.tryLock(path);
}

/** Errors of file systems without hard links, such as exFAT and some network shares: there each lock is a file of its own. */
const withoutLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

const holders = new Map<string, Holder>();
process.on("exit", () => {
  for (const holder of holders.values()) holder.end();
});

/**
 * A file of this process in the folder of its locks. Each lock is a hard link to this file, because making a file costs ext4
 * more than a link. The calls are synchronous (see cache-files.ts).
 */
class Holder {
  readonly #path: string;
  readonly #mark = `${hostname()} ${process.pid} ${Math.random()}`;
  /** The locks of this process. A lock that was broken and taken by another process is not released by its first holder. */
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
      // The file is missing before the first lock, and when another client of the directory removed it, unused for an hour.
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
      // A broken lock belongs to another process now and must stay.
      if (readFileSync(path, "utf8") === this.#mark) rmSync(path, { force: true });
    } catch {
      // The other processes break this lock when this process ends.
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
 * Removes the lock of a dead holder. On this host the holder's process shows its death, on another host the unchanged time of
 * its file. The waiting process's own clock measures that, so the clocks of hosts need not agree.
 * @param watch - the waiting process's last view of the lock; changed here
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
