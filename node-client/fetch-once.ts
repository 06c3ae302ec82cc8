import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import type { BlobCache, BlobTransfer } from "../shared/client/ports.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { breakIfDead, tryLock, type FetchLock } from "./fetch-lock.ts";

/** First look at how another client's fetch goes; then less often. */
const firstLookMs = 10;
const longestLookMs = 250;

export interface SharedCache {
  readonly cache: Pick<BlobCache, "get" | "put">;
  /** Where the clients of this cache directory leave locks. */
  readonly lockDirectory: string;
  /** Larger blobs are not kept, so nothing is gained by waiting for one. */
  readonly quotaBytes: number;
}

/**
 * Fetches of whole blobs such that several clients of one cache directory fetch each only once: one does, the others wait
 * and read what it cached. A fetch that fails, or whose client dies, is taken over by the next.
 */
export function fetchOnce(
  transfer: BlobTransfer,
  { cache, lockDirectory, quotaBytes }: SharedCache,
): BlobTransfer {
  return {
    upload: (bytes, ticket) => transfer.upload(bytes, ticket),
    chunks: (name, ticket) => transfer.chunks(name, ticket),
    hash: (bytes) => transfer.hash(bytes),
    async fetch(name, range, ticket) {
      // Ranges of large blobs are cached in chunks, by whoever asks for them.
      if (range || name.size > quotaBytes) return transfer.fetch(name, range, ticket);
      const path = join(lockDirectory, `${name.sha256}.lock`);
      const lock = await turn(path, name, cache);
      if (lock instanceof Uint8Array) return lock;
      try {
        // Between the look that missed and this lock another may have been through.
        const cached = await whole(name, cache);
        if (cached) return cached;
        const bytes = await transfer.fetch(name, undefined, ticket);
        // In the cache before the lock is released. A cache that fails is no reason to fail.
        await cache.put(name.sha256, bytes).catch(() => undefined);
        return bytes;
      } finally {
        await lock?.release();
      }
    },
  };
}

/** Waits for the lock, or for the bytes; undefined where no lock can be made (a full disk): then everybody fetches. */
async function turn(
  path: string,
  name: BlobName,
  cache: SharedCache["cache"],
): Promise<FetchLock | Uint8Array | undefined> {
  const watch = { mtimeMs: 0, since: performance.now() };
  for (let pauseMs = firstLookMs; ; pauseMs = Math.min(longestLookMs, pauseMs * 1.5)) {
    try {
      const lock = await tryLock(path);
      if (lock) return lock;
      await breakIfDead(path, watch, performance.now());
    } catch {
      return undefined;
    }
    await sleep(pauseMs);
    const cached = await whole(name, cache);
    if (cached) return cached;
  }
}

async function whole(
  { sha256, size }: BlobName,
  cache: SharedCache["cache"],
): Promise<Uint8Array | undefined> {
  const bytes = await cache.get(sha256).catch(() => undefined);
  return bytes?.length === size ? bytes : undefined;
}
