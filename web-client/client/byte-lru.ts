import type { Sha256 } from "../../shared/ids.ts";

/** A least-recently-used cache with a quota in bytes. A `Map` keeps the order of insertion, so each use inserts the blob again. */
export class ByteLru {
  readonly #entries = new Map<Sha256, Uint8Array>();
  readonly #quotaBytes: number;
  #bytes = 0;

  constructor(quotaBytes: number) {
    this.#quotaBytes = quotaBytes;
  }

  get(sha256: Sha256): Uint8Array | undefined {
    const bytes = this.#entries.get(sha256);
    if (!bytes) return undefined;
    this.#entries.delete(sha256);
    this.#entries.set(sha256, bytes);
    return bytes;
  }

  /** @returns names of removed blobs; of the new blob alone when there is no room for it beside `keep` */
  put(sha256: Sha256, bytes: Uint8Array, keep?: { has(name: Sha256): boolean }): Sha256[] {
    this.delete(sha256);
    const removed: Sha256[] = [];
    let over = this.#bytes + bytes.length - this.#quotaBytes;
    for (const [oldest, { length }] of this.#entries) {
      if (over <= 0) break;
      if (keep?.has(oldest)) continue;
      over -= length;
      removed.push(oldest);
    }
    if (over > 0) return [sha256];
    for (const name of removed) this.delete(name);
    this.#entries.set(sha256, bytes);
    this.#bytes += bytes.length;
    return removed;
  }

  delete(sha256: Sha256): void {
    this.#bytes -= this.#entries.get(sha256)?.length ?? 0;
    this.#entries.delete(sha256);
  }

  /** Most recently used first. */
  names(): Sha256[] {
    return [...this.#entries.keys()].reverse();
  }
}
