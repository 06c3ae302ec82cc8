import type { Sha256 } from "../../shared/ids.ts";
import type { Principal } from "./principal.ts";

const capacity = 10_000;
/** A revocation by another server on the same store is noticed within this time. */
const lifetimeMs = 5_000;

/**
 * Principals of the tokens used lately, so that most requests need no look-up in the store. The oldest entry goes
 * first.
 */
export class PrincipalCache {
  /** Grows with every revocation. */
  generation = 0;
  readonly #entries = new Map<Sha256, { principal: Principal; until: number }>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get(hash: Sha256): Principal | undefined {
    const entry = this.#entries.get(hash);
    if (!entry) return undefined;
    if (entry.until > this.#clock()) return entry.principal;
    this.#entries.delete(hash);
    return undefined;
  }

  set(hash: Sha256, principal: Principal): void {
    if (this.#entries.size >= capacity) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    const until = Math.min(this.#clock() + lifetimeMs, principal.expiresAt ?? Infinity);
    this.#entries.set(hash, { principal, until });
  }

  /** Forgets a revoked token. */
  drop(tokenId: string): void {
    this.generation++;
    for (const [hash, { principal }] of this.#entries)
      if (principal.tokenId === tokenId) this.#entries.delete(hash);
  }
}
