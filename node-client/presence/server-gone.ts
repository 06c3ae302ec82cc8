import type { ClientStatus } from "../../shared/client/status.ts";

/** A silent server may only be busy, so it gets this many times the limit of one that does not listen. */
const silenceFactor = 10;

/**
 * Tells when a server is gone for good: its address refuses connections for `limitMs` (the program was killed), or is silent for ten
 * times that (the machine is off; the server of a busy program may be silent for minutes).
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
