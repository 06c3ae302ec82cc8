import type { BlobCache, PrecacheSpace } from "../../shared/client/ports.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { ByteLru } from "./byte-lru.ts";

const memoryOnlyBytes = 128 * 1024 ** 2;

type Keep = Parameters<ByteLru["put"]>[2];
type Change = { added: Sha256[]; removed: Sha256[] };

/** Blobs in memory, for a browser without IndexedDB. */
export class MemoryCache implements BlobCache {
  readonly precache: PrecacheSpace = {
    quotaBytes: memoryOnlyBytes,
    touch: async (names) => names.filter((name) => this.#blobs.get(name) !== undefined),
    put: (sha256, bytes, keep) => this.put(sha256, bytes, keep),
  };
  readonly #blobs = new ByteLru(memoryOnlyBytes);
  readonly #listeners: ((change: Change) => void)[] = [];

  async get(sha256: Sha256): Promise<Uint8Array | undefined> {
    return this.#blobs.get(sha256)?.slice();
  }

  async put(sha256: Sha256, bytes: Uint8Array, keep?: Keep): Promise<void> {
    const removed = this.#blobs.put(sha256, bytes.slice(), keep);
    if (removed.includes(sha256)) return;
    for (const listener of this.#listeners) listener({ added: [sha256], removed });
  }

  async list(): Promise<Sha256[]> {
    return this.#blobs.names().slice(0, limits.cachedPerMessage);
  }

  onChange(listener: (change: Change) => void): void {
    this.#listeners.push(listener);
  }
}
