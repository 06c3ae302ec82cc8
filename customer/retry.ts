import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../shared/backoff.ts";
import { PlatformError, type ErrorCode } from "../shared/errors.ts";

/**
 * Attempts before a refusal counts as final, for retryable codes that time alone seldom mends. The others (server away, full,
 * busy) are retried for as long as the customer has patience.
 */
const attemptsOf: Partial<Record<ErrorCode, number>> = {
  INTERNAL: 5,
  HASH_MISMATCH: 3,
  // Refusals with these codes need another request first, so the caller has to act.
  UNKNOWN_BLOB: 1,
  UNKNOWN_KERNEL: 1,
};

/** A customer has few requests under way, so its pauses begin shorter than those of clients. */
const firstPauseMs = 150;
/** Longest pause between two attempts, and therefore the delay after a restart of the server. */
const longestPauseMs = 5_000;

/** Pause of a customer before retry number `attempt` (from 0). */
export function pauseMs(attempt: number, random: () => number = Math.random): number {
  return backoffMs(attempt, random, firstPauseMs, longestPauseMs);
}

/** Listener to failures and successes of requests. */
export interface OutageListener {
  failed(error: PlatformError): void;
  succeeded(): void;
  /** Aborted at the next success, which ends the pauses of all requests. */
  readonly over: AbortSignal;
}

/**
 * Repeats `attempt` until it succeeds, with back-off and jitter, while its refusals are retryable and `patienceMs` since the
 * first refusal has not passed.
 * @throws PlatformError the last refusal; or the reason of `signal`
 */
export async function persist<T>(
  attempt: () => Promise<T>,
  options: {
    patienceMs: number;
    signal?: AbortSignal | undefined;
    outage?: OutageListener;
    /** Progress of the attempts: an attempt that came further than all before starts back-off and patience afresh. */
    reached?: (() => number) | undefined;
  },
): Promise<T> {
  let failedAt: number | undefined;
  let furthest = 0;
  /** Refusals in a row that time alone seldom mends. */
  let stubborn = 0;
  for (let attempts = 1; ; attempts++) {
    options.signal?.throwIfAborted();
    try {
      const result = await attempt();
      options.outage?.succeeded();
      return result;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof PlatformError) || !error.retryable) throw error;
      const reached = options.reached?.() ?? 0;
      if (reached > furthest) {
        furthest = reached;
        failedAt = undefined;
        attempts = 1;
      }
      // A refusal that needs another request first is no sign of an outage.
      const most = attemptsOf[error.code];
      stubborn = most === undefined ? 0 : stubborn + 1;
      if (most === undefined) options.outage?.failed(error);
      failedAt ??= performance.now();
      const pause = Math.max(pauseMs(attempts - 1), retryAfterOf(error) ?? 0);
      const patienceLeft = options.patienceMs - (performance.now() - failedAt);
      if (stubborn >= (most ?? Infinity) || pause > patienceLeft) throw error;
      const isAway = most === undefined && retryAfterOf(error) === undefined;
      const over = isAway ? options.outage?.over : undefined;
      const signals = [options.signal, over].filter((signal) => signal !== undefined);
      await sleep(pause, undefined, { signal: AbortSignal.any(signals) }).catch(() =>
        options.signal?.throwIfAborted(),
      );
      // Another request has succeeded, so the back-off starts afresh.
      if (over?.aborted) attempts = 0;
    }
  }
}

/** A refusal with the time of the next attempt (HTTP `Retry-After`). */
export class RetryAfterError extends PlatformError {
  readonly retryAfterMs: number;
  constructor({ code, message, remedy }: PlatformError, retryAfterMs: number) {
    super(code, message, undefined, remedy);
    this.retryAfterMs = retryAfterMs;
  }
}

function retryAfterOf(error: PlatformError): number | undefined {
  return error instanceof RetryAfterError ? error.retryAfterMs : undefined;
}
