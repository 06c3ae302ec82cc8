import { LRUCache } from "lru-cache";
import type { BlobName } from "../../shared/data-reference.ts";
import type { ClientId, Sha256 } from "../../shared/ids.ts";
import type { BlobOwner, Store } from "../store/store.ts";
import type { ClientUploads } from "./client-uploads.ts";

/** The hash of a data reference in an encoded value: text of 64 characters. */
const reference = /\xd9@([0-9a-f]{64})/g;

const remembered = 10_000;
/** Far less than the time that an unused blob is kept. */
const rememberMs = 10 * 60 * 1000;

/**
 * Checks the blobs that results name: each has to be stored, and either uploaded by the client of the result or already the customer's
 * (SPEC.md [READ-3]). The store is asked once for each blob of a customer.
 */
export class KnownBlobs {
  readonly #store: Store;
  readonly #uploads: ClientUploads;
  /** Blobs that are known to be a customer's. */
  readonly #known = new LRUCache<string, true>({ max: remembered, ttl: rememberMs });

  constructor(store: Store, uploads: ClientUploads) {
    this.#store = store;
    this.#uploads = uploads;
  }

  async firstMissing(
    names: readonly BlobName[],
    client: ClientId,
    customer: string,
  ): Promise<BlobName | undefined> {
    for (const name of names) {
      const key = `${name.sha256} ${name.size} ${customer}`;
      if (this.#known.has(key)) continue;
      if (!(await this.#has(name, { client })) && !(await this.#has(name, { customer }))) return name;
      this.#uploads.named(client, name.sha256);
      // The blob is in use: it must outlive the moment before its reference is stored.
      await this.#store.touchBlob(name);
      this.#known.set(key, true);
    }
    return undefined;
  }

  /**
   * Gives the customer of a task the blobs that its client uploaded and its checkpoint names, so that the next client of the task may read
   * them.
   * @throws PlatformError QUOTA_EXCEEDED
   */
  async keepOfCheckpoint(client: ClientId, customer: string, state: Uint8Array): Promise<void> {
    for (const sha256 of referencesIn(state)) {
      const blob = await this.#store.getBlob(sha256, { client });
      if (!blob) continue;
      this.#uploads.named(client, blob.sha256);
      await this.#store.touchBlob(blob, { customer });
    }
  }

  async #has({ sha256, size }: BlobName, owner: BlobOwner): Promise<boolean> {
    return (await this.#store.getBlob(sha256, owner))?.size === size;
  }
}

/** Names of the blobs that an encoded value refers to, and of any other bytes that look like a reference. */
function referencesIn({ buffer, byteOffset, byteLength }: Uint8Array): Sha256[] {
  const text = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  return [...text.matchAll(reference)].map(([, sha256]) => sha256 as Sha256);
}
