import { LRUCache } from "lru-cache";
import type { Sha256 } from "../../shared/ids.ts";
import type { SharedStore, SignInRow } from "../store/shared-store.ts";
import { hashSecret, randomText } from "./secret.ts";

const capacity = 1_000;
/** A sign-out at another server is noticed within this time. */
const rememberMs = 5_000;

/** Sign-ins of browsers in the store, so that a browser is signed in at every server. The store has the hash of each id alone. */
export class SharedSignIns {
  readonly #store: SharedStore;
  readonly #clock: () => number;
  readonly #lifetimeMs: number;
  readonly #known: LRUCache<string, SignInRow>;

  constructor(store: SharedStore, clock: () => number, lifetimeMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
    this.#known = new LRUCache({ max: capacity, ttl: rememberMs, ttlResolution: 0, perf: { now: clock } });
  }

  async open(token: Sha256): Promise<{ id: string; expiresAt: number }> {
    const id = randomText(40);
    const expiresAt = this.#clock() + this.#lifetimeMs;
    await this.#store.openSignIn({ id: hashSecret(id), token, expiresAt });
    return { id, expiresAt };
  }

  async find(id: string): Promise<Sha256 | undefined> {
    const hash = hashSecret(id);
    const signIn = this.#known.get(hash) ?? (await this.#store.findSignIn(hash));
    if (!signIn || signIn.expiresAt <= this.#clock()) return undefined;
    this.#known.set(hash, signIn);
    return signIn.token;
  }

  async close(id: string): Promise<void> {
    const hash = hashSecret(id);
    this.#known.delete(hash);
    await this.#store.closeSignIn(hash);
  }
}
