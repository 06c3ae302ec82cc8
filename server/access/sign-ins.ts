import type { Sha256 } from "../../shared/ids.ts";
import { randomText } from "./secret.ts";

const capacity = 1_000;

/**
 * Sign-ins of browsers, kept in memory: a restart of the server signs everyone out. A sign-in stands for a token,
 * not for a role, so it ends with its token.
 */
export class SignIns {
  readonly #signIns = new Map<string, { token: Sha256; expiresAt: number }>();
  readonly #clock: () => number;
  readonly #lifetimeMs: number;

  constructor(clock: () => number, lifetimeMs: number) {
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
  }

  open(token: Sha256): { id: string; expiresAt: number } {
    this.#makeRoom();
    const id = randomText(40);
    const expiresAt = this.#clock() + this.#lifetimeMs;
    this.#signIns.set(id, { token, expiresAt });
    return { id, expiresAt };
  }

  /** Hash of the token behind a sign-in; undefined when the sign-in is unknown or over. */
  find(id: string): Sha256 | undefined {
    const signIn = this.#signIns.get(id);
    if (!signIn) return undefined;
    if (signIn.expiresAt > this.#clock()) return signIn.token;
    this.#signIns.delete(id);
    return undefined;
  }

  close(id: string): void {
    this.#signIns.delete(id);
  }

  #makeRoom(): void {
    const now = this.#clock();
    // All sign-ins live equally long, so the map is in order of expiry.
    for (const [id, { expiresAt }] of this.#signIns) {
      if (expiresAt > now && this.#signIns.size < capacity) break;
      this.#signIns.delete(id);
    }
  }
}
