import { join } from "node:path";
import type { BlobCache, BlobTransfer } from "../shared/client/ports.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { waitForTurn } from "./turn.ts";

interface SharedCache {
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
    async fetch(name, range, ticket, part) {
      // Ranges of large blobs are cached in chunks, by whoever asks for them.
      if (range || name.size > quotaBytes) return transfer.fetch(name, range, ticket, part);
      const path = join(lockDirectory, `${name.sha256}.lock`);
      // Where no lock can be made (a full disk) everybody fetches.
      const { lock, found } = await waitForTurn(path, () => whole(name, cache));
      if (found) return found;
      try {
        // Between the look that missed and this lock another may have been through.
        const cached = await whole(name, cache);
        if (cached) return cached;
        const bytes = await transfer.fetch(name, undefined, ticket, part);
        // In the cache before the lock is released. A cache that fails is no reason to fail.
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
