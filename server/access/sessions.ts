import type { Sha256 } from "../../shared/ids.ts";
import { randomText } from "./secret.ts";

const capacity = 1_000;

/**
 * Sign-ins of browsers, kept in memory: a restart of the server signs everyone out. A session stands for a token, not for
 * a role, so that it ends with its token.
 */
export class Sessions {
  readonly #sessions = new Map<string, { token: Sha256; expiresAt: number }>();
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
    this.#sessions.set(id, { token, expiresAt });
    return { id, expiresAt };
  }

  /** Hash of the token behind a session. */
  find(id: string): Sha256 | undefined {
    const session = this.#sessions.get(id);
    if (!session) return undefined;
    if (session.expiresAt > this.#clock()) return session.token;
    this.#sessions.delete(id);
    return undefined;
  }

  close(id: string): void {
    this.#sessions.delete(id);
  }

  #makeRoom(): void {
    const now = this.#clock();
    // Insertion order is order of expiry, as every session lives equally long.
    for (const [id, { expiresAt }] of this.#sessions) {
      if (expiresAt > now && this.#sessions.size < capacity) break;
      this.#sessions.delete(id);
    }
  }
}
