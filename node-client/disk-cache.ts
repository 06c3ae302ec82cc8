import { createHash, randomUUID } from "node:crypto";
import { linkSync } from "node:fs";
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { PrecacheSpace, BlobCache, ClientPorts } from "../shared/client/ports.ts";
import { sha256Schema, type Sha256 } from "../shared/ids.ts";
import { limits } from "../shared/limits.ts";
import * as v from "valibot";
import { readWhole, writeAndRename } from "./cache-files.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { largeBytes } from "./sandbox/frames.ts";
import type { LinkedCache } from "./sandbox/linked-files.ts";
import { takeTurn } from "./turn.ts";
import { makeDirectory } from "../system/make-directory.ts";

export const defaultQuotaBytes = 4 * 1024 ** 3;
const listed = limits.cachedPerMessage;
/** Share of the quota to which files are removed, so that the next blobs find room at once. */
const roomTo = 0.9;
/** Most files in this process's list, at about 150 bytes each. */
const maxFiles = 200_000;
/** Period in which a use is written to the file's time, where other clients of this machine see it. */
const touchEveryMs = 60_000;
/** Period in which the directory is read, for changes by other clients. */
const rescanEveryMs = 5 * 60_000;
const leftoverMs = 3_600_000;

/** Directory of blobs that are being written, locks of blobs that are being fetched, and links for sandboxes; what is old in it is left over. */
export function partialDirectory(cacheDirectory: string): string {
  return join(cacheDirectory, "partial");
}

interface File {
  size: number;
  usedAt: number;
  /** Whether this process has read and hashed the file, or has written it from hashed bytes. */
  verified: boolean;
}

interface DiskCacheOptions {
  readonly directory: string;
  readonly quotaBytes?: number;
  readonly log: ClientPorts["log"];
}

/**
 * Blobs as files named by their hash, shared by every client of the machine (any number of processes). A file is written aside
 * and renamed into place, checked against its name when read, and removed when it is the least recently used of a cache over
 * the quota. The directory is the truth; this process's list of it may be out of date, and is corrected when an error shows it.
 */
export async function openDiskCache(
  options: DiskCacheOptions,
): Promise<BlobCache & LinkedCache & { close(): void }> {
  const cache = new DiskCache(options);
  await cache.open();
  return cache;
}

function isSha256(name: string): name is Sha256 {
  return v.is(sha256Schema, name);
}

/** Whole milliseconds, and not earlier than the time that the file system gives to a file at this moment. */
function timeOfUse(): number {
  return Date.now() + 1;
}

/** Names that must stay. To make room for data of tasks, only the order of use counts. */
interface Keep {
  has(name: Sha256): boolean;
}
const keepNothing: Keep = { has: () => false };

class DiskCache implements BlobCache, LinkedCache {
  readonly precache: PrecacheSpace;
  readonly quotaBytes: number;
  readonly linkDirectory: string;
  readonly #blobs: string;
  readonly #aside: string;
  readonly #log: ClientPorts["log"];
  /** The least recently used file is the first. */
  #files = new Map<Sha256, File>();
  #bytes = 0;
  #listener: ((change: { added: Sha256[]; removed: Sha256[] }) => void) | undefined;
  #rescans: NodeJS.Timeout | undefined;
  #makingRoom: Promise<void> | undefined;

  constructor({ directory, quotaBytes = defaultQuotaBytes, log }: DiskCacheOptions) {
    this.#blobs = join(directory, "blobs");
    this.#aside = partialDirectory(directory);
    this.linkDirectory = this.#aside;
    this.quotaBytes = quotaBytes;
    this.#log = log;
    this.precache = {
      quotaBytes,
      touch: (names) => this.#touch(names),
      put: (sha256, bytes, keep) => this.#putPrecached(sha256, bytes, keep),
      turn: (key, action) => takeTurn(join(this.#aside, `${key}.lock`), action),
    };
  }

  async open(): Promise<void> {
    makeDirectory(this.#blobs);
    makeDirectory(this.#aside);
    await this.#removeLeftovers();
    await this.#scan();
    this.#rescans = setInterval(() => void this.#makeRoom(), rescanEveryMs);
    this.#rescans.unref();
  }

  close(): void {
    clearInterval(this.#rescans);
  }

  async get(sha256: Sha256): Promise<Uint8Array | undefined> {
    const bytes = await readWhole(this.#path(sha256));
    if (!bytes) {
      this.#forget(sha256);
      return undefined;
    }
    const known = this.#files.get(sha256);
    if (!known?.verified && createHash("sha256").update(bytes).digest("hex") !== sha256) {
      this.#log("warn", "A cached blob was damaged and is fetched again.", { sha256 });
      await rm(this.#path(sha256), { force: true });
      this.#forget(sha256);
      return undefined;
    }
    await this.#used(sha256, bytes.length);
    return bytes;
  }

  /** Sandboxes read large files themselves. */
  isNear({ sha256, size }: BlobName): boolean {
    return size >= largeBytes && this.#files.get(sha256)?.verified === true;
  }

  async link(sha256: Sha256, size: number, path: string): Promise<boolean> {
    if (!this.#files.get(sha256)?.verified) await this.get(sha256);
    if (this.#files.get(sha256)?.size !== size) return false;
    try {
      linkSync(this.#path(sha256), path);
    } catch {
      return false;
    }
    await this.#used(sha256, size);
    return true;
  }

  async put(sha256: Sha256, bytes: Uint8Array): Promise<void> {
    if (this.#files.has(sha256) || bytes.length > this.quotaBytes) return;
    await this.#write(sha256, bytes);
    if (this.#bytes > this.quotaBytes || this.#files.size > maxFiles) await this.#makeRoom();
  }

  async #write(sha256: Sha256, bytes: Uint8Array): Promise<void> {
    await writeAndRename(bytes, join(this.#aside, randomUUID()), this.#path(sha256));
    this.#remember(sha256, { size: bytes.length, usedAt: timeOfUse(), verified: true });
  }

  /** Room is made before the write, so that no file of `keep` is removed for it. */
  async #putPrecached(sha256: Sha256, bytes: Uint8Array, keep: Keep): Promise<void> {
    if (this.#files.has(sha256) || bytes.length > this.quotaBytes) return;
    const fits = () => this.#bytes + bytes.length <= this.quotaBytes && this.#files.size < maxFiles;
    if (!fits()) {
      // A removal that is under way has another `keep`.
      while (this.#makingRoom) await this.#makingRoom;
      await this.#makeRoom(keep, bytes.length);
    }
    if (fits()) await this.#write(sha256, bytes);
  }

  async #touch(names: readonly Sha256[]): Promise<Sha256[]> {
    const here: Sha256[] = [];
    const now = timeOfUse();
    for (const sha256 of names) {
      // Another client of this machine may have added or removed the file.
      const { size } = (await stat(this.#path(sha256)).catch(() => undefined)) ?? {};
      if (size === undefined) this.#forget(sha256);
      else {
        await utimes(this.#path(sha256), now / 1000, now / 1000).catch(() => undefined);
        const verified = this.#files.get(sha256)?.verified ?? false;
        this.#remember(sha256, { size, usedAt: now, verified });
        here.push(sha256);
      }
    }
    return here;
  }

  list(): Promise<Sha256[]> {
    return Promise.resolve([...this.#files.keys()].slice(-listed).reverse());
  }

  onChange(listener: (change: { added: Sha256[]; removed: Sha256[] }) => void): void {
    this.#listener = listener;
  }

  #path(sha256: Sha256): string {
    return join(this.#blobs, sha256.slice(0, 2), sha256);
  }

  async #used(sha256: Sha256, size: number): Promise<void> {
    const now = timeOfUse();
    const usedAt = this.#files.get(sha256)?.usedAt ?? 0;
    const touch = now - usedAt > touchEveryMs;
    this.#remember(sha256, { size, usedAt: touch ? now : usedAt, verified: true });
    if (!touch) return;
    const seconds = now / 1000;
    await utimes(this.#path(sha256), seconds, seconds).catch(() => undefined);
  }

  #remember(sha256: Sha256, file: File): void {
    const before = this.#files.get(sha256);
    this.#files.delete(sha256);
    this.#files.set(sha256, file);
    this.#bytes += file.size - (before?.size ?? 0);
    if (!before) this.#listener?.({ added: [sha256], removed: [] });
  }

  #forget(sha256: Sha256): void {
    const before = this.#files.get(sha256);
    if (!before) return;
    this.#files.delete(sha256);
    this.#bytes -= before.size;
    this.#listener?.({ added: [], removed: [sha256] });
  }

  /** Reads the directory, and removes the least recently used files until the rest fits. One removal runs at a time. */
  #makeRoom(keep = keepNothing, forBytes = 0): Promise<void> {
    this.#makingRoom ??= this.#scanAndRemove(keep, forBytes)
      .catch((error: unknown) => this.#log("warn", `The blob cache could not be tidied: ${String(error)}`))
      .finally(() => (this.#makingRoom = undefined));
    return this.#makingRoom;
  }

  async #scanAndRemove(keep: Keep, forBytes: number): Promise<void> {
    await this.#scan();
    const isOver = (share: number): boolean =>
      this.#bytes + forBytes > this.quotaBytes * share || this.#files.size > maxFiles * share;
    if (!isOver(1) && (forBytes === 0 || this.#files.size < maxFiles)) return;
    for (const [sha256] of this.#files) {
      if (!isOver(roomTo)) break;
      if (keep.has(sha256)) continue;
      // Another client that reads the file has it open, and finds it missing the next time.
      await rm(this.#path(sha256), { force: true });
      this.#forget(sha256);
    }
  }

  async #scan(): Promise<void> {
    const found: [Sha256, File][] = [];
    for (const folder of await readdir(this.#blobs)) {
      const names = await readdir(join(this.#blobs, folder)).catch(() => []);
      for (const name of names) {
        if (!isSha256(name)) continue;
        const { size, mtimeMs } = (await stat(this.#path(name)).catch(() => undefined)) ?? {};
        if (size === undefined || mtimeMs === undefined) continue;
        const known = this.#files.get(name);
        const usedAt = Math.max(mtimeMs, known?.usedAt ?? 0);
        found.push([name, { size, usedAt, verified: known?.verified ?? false }]);
      }
    }
    // Files of one millisecond, or one tick of the file system's clock, keep the order of this process's list.
    const places = new Map([...this.#files.keys()].map((name, place) => [name, place]));
    const placeOf = (name: Sha256): number => places.get(name) ?? -1;
    this.#replace(found.sort(([a, x], [b, y]) => x.usedAt - y.usedAt || placeOf(a) - placeOf(b)));
  }

  #replace(found: readonly [Sha256, File][]): void {
    const before = this.#files;
    this.#files = new Map(found);
    this.#bytes = found.reduce((sum, [, { size }]) => sum + size, 0);
    const added = found.flatMap(([name]) => (before.has(name) ? [] : [name]));
    const removed = [...before.keys()].filter((name) => !this.#files.has(name));
    for (let at = 0; at < Math.max(added.length, removed.length); at += listed)
      this.#listener?.({ added: added.slice(at, at + listed), removed: removed.slice(at, at + listed) });
  }

  /** Removes files of clients that were killed while they wrote. */
  async #removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.#aside)) {
      const path = join(this.#aside, name);
      const { mtimeMs = Date.now() } = (await stat(path).catch(() => undefined)) ?? {};
      if (Date.now() - mtimeMs > leftoverMs) await rm(path, { recursive: true, force: true });
    }
  }
}
