import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { Store } from "../store/store.ts";

const remembered = 100_000;

/** Checks that blobs a task or result refers to are here, asking the store once a blob. */
export class KnownBlobs {
  readonly #store: Store;
  readonly #sizes = new Map<Sha256, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** @throws PlatformError UNKNOWN_BLOB naming the first that is not here */
  async requireAll(names: readonly BlobName[]): Promise<void> {
    const missing = await this.firstMissing(names);
    if (missing)
      throw new PlatformError(
        "UNKNOWN_BLOB",
        `The blob ${missing.sha256} (${missing.size} bytes) is not on this server.`,
      );
  }

  async firstMissing(names: readonly BlobName[]): Promise<BlobName | undefined> {
    for (const name of names) {
      if (this.#sizes.get(name.sha256) === name.size) continue;
      const blob = await this.#store.getBlob(name.sha256);
      if (blob?.size !== name.size) return name;
      if (this.#sizes.size >= remembered) this.#sizes.clear();
      this.#sizes.set(name.sha256, name.size);
      // A blob about to be referred to is in use: it must outlive the moment before the reference is stored.
      await this.#store.touchBlob(name);
    }
    return undefined;
  }
}
