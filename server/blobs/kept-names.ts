import type { Sha256 } from "../../shared/ids.ts";

/** Names of blobs in use for a while; counted, because several users may need the same blob. */
export class KeptNames {
  readonly #counts = new Map<Sha256, number>();

  has(name: Sha256): boolean {
    return this.#counts.has(name);
  }

  [Symbol.iterator](): Iterator<Sha256> {
    return this.#counts.keys();
  }

  /** @returns a function that ends this use; further calls do nothing */
  add(names: readonly Sha256[]): () => void {
    for (const name of names) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      for (const name of names) {
        const left = (this.#counts.get(name) ?? 1) - 1;
        if (left > 0) this.#counts.set(name, left);
        else this.#counts.delete(name);
      }
    };
  }
}
