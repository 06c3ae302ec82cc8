import { LRUCache } from "lru-cache";
import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { BlobOwner } from "../store/store.ts";
import { blobError } from "./failure.ts";
import type { BlobParts } from "./parts.ts";

/** Blobs whose last touch is remembered: touching them again writes nothing. */
const rememberedTouches = 10_000;

/** Uses of blobs: each touches the record, which keeps the blob from collection for `keepMs`. */
export class BlobUses {
  readonly #parts: BlobParts;
  /** Times of the last touches. */
  readonly #touched = new LRUCache<Sha256, number>({ max: rememberedTouches });

  constructor(parts: BlobParts) {
    this.#parts = parts;
  }

  /** Looks for a blob, of an owner if one is given, and uses it. */
  async find(sha256: Sha256, owner?: BlobOwner): Promise<BlobName | undefined> {
    const { store, locks, verification } = this.#parts;
    try {
      if (owner && !(await store.getBlob(sha256, owner))) return undefined;
      // Most look-ups need no lock: a blob touched a moment ago is not up for collection.
      if (this.areRecent(sha256)) return await verification.find(sha256);
      return await locks.run(sha256, () => this.#reuse(sha256));
    } catch (error) {
      throw blobError(error);
    }
  }

  async touch(name: BlobName, owner?: BlobOwner): Promise<void> {
    await this.#parts.store.touchBlob(name, owner);
    this.note(name.sha256);
  }

  /** Notes that the record was touched. */
  note(sha256: Sha256): void {
    this.#touched.set(sha256, this.#parts.clock());
  }

  /** Forgets a blob that is removed. */
  forget(sha256: Sha256): void {
    this.#touched.delete(sha256);
  }

  /** Whether the last touch is so recent that the record need not change: a collection is far off. */
  areRecent(sha256: Sha256): boolean {
    const at = this.#touched.get(sha256);
    return at !== undefined && this.#parts.clock() - at < this.#parts.keepMs / 4;
  }

  /**
   * Under the blob's lock, after a touch of a blob that was found. Another server that was removing the blob either sees the touch, and
   * puts the blob back, or has made the blob impossible to find before the touch.
   */
  async isStillHere(sha256: Sha256): Promise<boolean> {
    const { backend, store } = this.#parts;
    if (!backend.isShared || (await backend.find(sha256))) return true;
    this.forget(sha256);
    await store.forgetBlob(sha256, "unowned");
    return false;
  }

  /** Under the blob's lock: touches and returns the blob; undefined when it is not here. */
  async #reuse(sha256: Sha256): Promise<BlobName | undefined> {
    const found = await this.#parts.verification.find(sha256);
    if (found && !this.areRecent(sha256)) await this.touch(found);
    return found && (await this.isStillHere(sha256)) ? found : undefined;
  }
}
