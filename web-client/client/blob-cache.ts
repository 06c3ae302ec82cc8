import { delMany, entries, get, set, setMany } from "idb-keyval";
import type { PrecacheSpace, BlobCache } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { Stores } from "./stores.ts";

const mebibyte = 1024 ** 2;
/** The page takes at most this much disk, and at most half of what the browser grants. */
const maxQuotaBytes = 512 * mebibyte;
const listed = limits.cachedPerMessage;
/** Blobs from this size on reach workers as handles: their bytes cross no other process. */
const handleBytes = 128 * 1024;

interface Usage {
  size: number;
  usedAt: number;
}
/** Names of blobs that must stay. */
interface Keep {
  has(name: Sha256): boolean;
}
const keepNothing: Keep = { has: () => false };
type Change = { added: Sha256[]; removed: Sha256[] };

interface CacheOptions {
  readonly quotaBytes?: number;
  /** Carries changes to other tabs; undefined where the browser has no BroadcastChannel. */
  readonly channel?: BroadcastChannel | undefined;
}

/** A handle of the bytes, or the bytes where the browser stores no handles: WebKit's private windows. */
type Stored = Blob | Uint8Array;

/** A cache that gives workers blobs without their bytes crossing the page. */
export interface PageCache extends BlobCache {
  /** A blob as it is stored. A miss is `undefined`. */
  stored?(sha256: Sha256): Promise<Stored | undefined>;
}

/** Opens the blobs in IndexedDB, which the tabs of a browser share. The least recently used go first; a failing disk is a miss. */
export async function openBlobCache(
  stores: Stores | undefined,
  options: CacheOptions = {},
): Promise<PageCache> {
  try {
    if (stores) {
      const known = new Map(await entries<Sha256, Usage>(stores.index));
      return new IndexedDbCache(stores, known, options.quotaBytes ?? (await grantedBytes()), options.channel);
    }
  } catch {
    // The browser keeps nothing.
  }
  return import("./memory-cache.ts").then(
    ({ MemoryCache }) => new MemoryCache(),
    // A page that can load no more code has a cache without room.
    () => new IndexedDbCache({} as Stores, new Map(), 0, undefined),
  );
}

async function grantedBytes(): Promise<number> {
  try {
    // `navigator.storage` exists in secure contexts only.
    const quota = (await navigator.storage.estimate()).quota ?? Infinity;
    return Math.min(maxQuotaBytes, quota / 2);
  } catch {
    return maxQuotaBytes;
  }
}

class IndexedDbCache implements PageCache {
  readonly precache: PrecacheSpace;
  readonly #stores: Stores;
  readonly #index: Map<Sha256, Usage>;
  readonly #quotaBytes: number;
  readonly #channel: BroadcastChannel | undefined;
  readonly #touched = new Map<Sha256, Usage>();
  readonly #listeners: ((change: Change) => void)[] = [];
  #bytes = 0;

  constructor(
    stores: Stores,
    index: Map<Sha256, Usage>,
    quotaBytes: number,
    channel: BroadcastChannel | undefined,
  ) {
    this.#stores = stores;
    this.#index = index;
    this.#quotaBytes = quotaBytes;
    this.#channel = channel;
    this.precache = {
      quotaBytes,
      touch: async (names) => names.filter((name) => this.#use(name)),
      put: (sha256, bytes, keep) => this.put(sha256, bytes, keep),
    };
    for (const { size } of index.values()) this.#bytes += size;
    channel?.addEventListener("message", ({ data }: MessageEvent<Change & { sizes: number[] }>) => {
      data.removed.forEach((name) => this.#forget(name));
      data.added.forEach((name, i) => this.#know(name, data.sizes[i] ?? 0));
      this.#announce({ added: data.added, removed: data.removed });
    });
  }

  async get(sha256: Sha256): Promise<Uint8Array | undefined> {
    const stored = await this.stored(sha256);
    return stored instanceof Blob ? new Uint8Array(await stored.arrayBuffer()) : stored;
  }

  isNear({ sha256, size }: BlobName): boolean {
    return size >= handleBytes && this.#index.get(sha256)?.size === size;
  }

  async stored(sha256: Sha256): Promise<Stored | undefined> {
    const known = this.#use(sha256);
    const stored = known && (await get<Stored>(sha256, this.#stores.blobs).catch(() => undefined));
    if ((stored instanceof Blob ? stored.size : stored?.length) === known?.size) return stored;
    await this.#drop([sha256]);
    return undefined;
  }

  async put(sha256: Sha256, bytes: Uint8Array, keep: Keep = keepNothing): Promise<void> {
    if (this.#index.has(sha256) || bytes.length > this.#quotaBytes) return;
    // A copy: the caller may transfer its buffer while the disk writes.
    const own = new Blob([bytes as Uint8Array<ArrayBuffer>]);
    const { size } = own;
    let over = this.#bytes + size - this.#quotaBytes;
    for (let attempt = 0; attempt < 3; attempt++) {
      const { names, missing } = this.#oldest(over, keep);
      // The remaining entries are in `keep`, so they stay.
      if (missing > 0) return;
      await this.#drop(names);
      try {
        await set(sha256, attempt ? new Uint8Array(await own.arrayBuffer()) : own, this.#stores.blobs);
        // From now on it can be had.
        this.#know(sha256, size);
        this.#use(sha256);
        await this.#saveTouched();
        return this.#tell({ added: [sha256], removed: [] });
      } catch {
        // The browser may have less room than it said.
        over = attempt && this.#bytes / 2;
      }
    }
    await this.#drop([sha256]);
  }

  #use(name: Sha256): Usage | undefined {
    const known = this.#index.get(name);
    if (known) {
      known.usedAt = Date.now();
      this.#touched.set(name, known);
    }
    return known;
  }

  async list(): Promise<Sha256[]> {
    const newest = [...this.#index].sort(([, a], [, b]) => b.usedAt - a.usedAt);
    return newest.slice(0, listed).map(([name]) => name);
  }

  onChange(listener: (change: Change) => void): void {
    this.#listeners.push(listener);
  }

  /** Writes times of use, with the next blob only: a lost time merely makes eviction slightly worse. */
  async #saveTouched(): Promise<void> {
    const touched = [...this.#touched];
    this.#touched.clear();
    await setMany(touched, this.#stores.index);
  }

  /** The least recently used blobs that free `bytes`; `missing` are the bytes that blobs in `keep` hold. */
  #oldest(bytes: number, keep: Keep): { names: Sha256[]; missing: number } {
    const names: Sha256[] = [];
    if (bytes <= 0) return { names, missing: 0 };
    const byUse = [...this.#index].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [name, { size }] of byUse) {
      if (bytes <= 0) break;
      if (keep.has(name)) continue;
      bytes -= size;
      names.push(name);
    }
    return { names, missing: bytes };
  }

  #know(sha256: Sha256, size: number): void {
    this.#forget(sha256);
    this.#index.set(sha256, { size, usedAt: Date.now() });
    this.#bytes += size;
  }

  #forget(sha256: Sha256): void {
    this.#bytes -= this.#index.get(sha256)?.size ?? 0;
    this.#index.delete(sha256);
    this.#touched.delete(sha256);
  }

  async #drop(names: Sha256[]): Promise<void> {
    if (names.length === 0) return;
    names.forEach((name) => this.#forget(name));
    this.#tell({ added: [], removed: names });
    // A blob without an index entry would take disk that nothing counts; an entry without a blob is only a miss.
    await Promise.allSettled([delMany(names, this.#stores.index), delMany(names, this.#stores.blobs)]);
  }

  #tell(change: Change): void {
    const sizes = change.added.map((name) => this.#index.get(name)?.size ?? 0);
    this.#channel?.postMessage({ ...change, sizes });
    this.#announce(change);
  }

  #announce(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}
