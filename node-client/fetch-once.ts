import { join } from "node:path";
import type { BlobCache, BlobTransfer } from "../shared/client/ports.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { waitForTurn } from "./turn.ts";

interface SharedCache {
  readonly cache: Pick<BlobCache, "get" | "put">;
  /** Directory of the locks, shared by the clients of this cache directory. */
  readonly lockDirectory: string;
  /** Larger blobs are not cached, so waiting for another client's fetch would gain nothing. */
  readonly quotaBytes: number;
}

/**
 * Fetches of whole blobs, of which the clients of one cache directory fetch each only once: one client fetches, the others wait
 * and read the cache. When a fetch fails, or its client dies, the next client takes over.
 */
export function fetchOnce(
  transfer: BlobTransfer,
  { cache, lockDirectory, quotaBytes }: SharedCache,
): BlobTransfer {
  return {
    upload: (bytes, ticket, part) => transfer.upload(bytes, ticket, part),
    chunks: (name, ticket) => transfer.chunks(name, ticket),
    hash: (bytes) => transfer.hash(bytes),
    renew: () => transfer.renew?.(),
    async fetch(name, range, ticket, part) {
      // Ranges of large blobs are cached in chunks by their readers.
      if (range || name.size > quotaBytes) return transfer.fetch(name, range, ticket, part);
      const path = join(lockDirectory, `${name.sha256}.lock`);
      // Every client fetches when no lock can be made (a full disk).
      const { lock, found } = await waitForTurn(path, () => whole(name, cache));
      if (found) return found;
      try {
        // Another client may have fetched the blob between the cache miss and this lock.
        const cached = await whole(name, cache);
        if (cached) return cached;
        const bytes = await transfer.fetch(name, undefined, ticket, part);
        // The blob is in the cache before the lock is released. A failing cache must not fail the fetch.
        await cache.put(name.sha256, bytes).catch(() => undefined);
        return bytes;
      } finally {
        lock?.release();
      }
    },
  };
}

async function whole(
  { sha256, size }: BlobName,
  cache: SharedCache["cache"],
): Promise<Uint8Array | undefined> {
  const bytes = await cache.get(sha256).catch(() => undefined);
  return bytes?.length === size ? bytes : undefined;
}
