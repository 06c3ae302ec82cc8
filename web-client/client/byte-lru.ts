import type { Sha256 } from "../../shared/ids.ts";

/** Least recently used first out, counted in bytes. A `Map` keeps insertion order, so a use is a re-insertion. */
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

  /** Names that had to go; the blob itself when it does not fit, or not without one that must stay. */
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
