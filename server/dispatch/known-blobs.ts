import { LRUCache } from "lru-cache";
import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { Store } from "../store/store.ts";

const remembered = 10_000;
/** Far less than the time that an unused blob is kept. */
const rememberMs = 10 * 60 * 1000;

/** Checks that the blobs of a result are stored, asking the store now and then for each blob. */
export class KnownBlobs {
  readonly #store: Store;
  readonly #sizes = new LRUCache<Sha256, number>({ max: remembered, ttl: rememberMs });

  constructor(store: Store) {
    this.#store = store;
  }

  async firstMissing(names: readonly BlobName[]): Promise<BlobName | undefined> {
    for (const name of names) {
      if (this.#sizes.get(name.sha256) === name.size) continue;
      const blob = await this.#store.getBlob(name.sha256);
      if (blob?.size !== name.size) return name;
      this.#sizes.set(name.sha256, name.size);
      // The blob is in use: it must outlive the moment before its reference is stored.
      await this.#store.touchBlob(name);
    }
    return undefined;
  }
}
