/** A connection moved no byte in time: the other end, or the network in between, is dead. */
export class SilenceError extends Error {
  override readonly name = "SilenceError";
  /** Whether the connection was established: then the server may only be slow. */
  readonly wasConnected: boolean;

  constructor(ms: number, wasConnected: boolean) {
    super(wasConnected ? `nothing came for ${ms / 1000} s` : `no connection within ${ms / 1000} s`);
    this.wasConnected = wasConnected;
  }
}

/** Time limits of a request. */
export interface SilenceOptions {
  /** Longest time without a byte while a reader waits for one. */
  readonly silenceMs: number;
  /** Extra time for the server's work before it answers. */
  readonly workMs?: number | undefined;
  /** The same within a reply that has begun; `silenceMs` unless given. */
  readonly replySilenceMs?: number | undefined;
  /** Called when the connection is given up. */
  readonly onSilence?: (() => void) | undefined;
}
