import type { ClientStatus } from "../../shared/client/status.ts";

/** A server that does not listen any more is gone; one that is only silent may be busy: it gets so much longer. */
const silenceFactor = 10;

/**
 * Tells when a server is gone for good: nobody listens at its address for `limitMs` (a program that was killed), or nothing
 * is heard from there for ten times that (its machine is off; a busy customer's own server may be silent for minutes).
 */
export class GoneWatch {
  readonly #limitMs: number;
  #refusedSince: number | undefined;
  #silentSince: number | undefined;

  constructor(limitMs: number, now: number) {
    this.#limitMs = limitMs;
    this.#silentSince = now;
  }

  statusChanged({ connection }: Pick<ClientStatus, "connection">, now: number): void {
    if (connection.state === "connected") this.#refusedSince = this.#silentSince = undefined;
    if (connection.state !== "waiting") return;
    this.#silentSince ??= now;
    this.#refusedSince = /ECONNREFUSED/.test(connection.reason) ? (this.#refusedSince ?? now) : undefined;
  }

  isGone(now: number): boolean {
    const longerThan = (since: number | undefined, ms: number): boolean =>
      since !== undefined && now - since >= ms;
    return (
      longerThan(this.#refusedSince, this.#limitMs) ||
      longerThan(this.#silentSince, this.#limitMs * silenceFactor)
    );
  }
}
