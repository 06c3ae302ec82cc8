/** A pause checks for verbs once a tick, the resolution of timers. Polling with setImmediate instead would occupy a core. */
export const tickMs = 1;

/** A server that begins a transaction later than this after the last has time to spare. */
const busyMs = 2;

/** Longest pause: 194-235 tasks a commit with verbs of 12 tasks. */
const longestMs = 3;

/** A commit of this many rows is worth its fixed cost, which is then below 1 µs a row. */
const enoughRows = 256;

/** Most transactions without a pause after a pause in vain. */
const longestRest = 256;

/**
 * Decides whether the next transaction begins at once or a little later, with more verbs in it. A commit costs 0.1-0.15 ms of
 * processor time whatever it carries, and a busy server would pay that for every dozen tasks.
 *
 * A pause is worthwhile while verbs keep coming in without answers: from many clients, or from a client that does not wait. The
 * pause goes on tick by tick while verbs come. In a tick without a verb all callers wait for an answer: the pause ends, was in
 * vain, and the next 1, 2, 4 … 256 transactions begin at once. A single caller that waits for each answer therefore loses 1 ms
 * in 256 commits, and on an idle server there is no pause.
 *
 * Pure: the times are passed in.
 */
export class Pacing {
  #endedAt = -Infinity;
  #pausedAt = 0;
  /** Transactions that still begin at once. */
  #rest = 0;
  #nextRest = 1;

  /** Whether to pause, at the first waiting verb. `rows` counts the waiting rows. */
  shouldPause(now: number, rows: number): boolean {
    if (now - this.#endedAt > busyMs || rows >= enoughRows) return false;
    if (this.#rest > 0) {
      this.#rest--;
      return false;
    }
    this.#pausedAt = now;
    return true;
  }

  /** Whether to go on pausing, a tick later. `arrived` counts the verbs of this tick. */
  shouldGoOn(now: number, arrived: number, rows: number): boolean {
    if (arrived === 0) {
      this.#rest = this.#nextRest;
      this.#nextRest = Math.min(2 * this.#nextRest, longestRest);
      return false;
    }
    if (rows < enoughRows && now - this.#pausedAt < longestMs) return true;
    this.#nextRest = 1;
    return false;
  }

  /** Takes note of the end of a transaction. */
  ended(now: number): void {
    this.#endedAt = now;
  }
}
