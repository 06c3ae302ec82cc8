/** A pause looks about once a tick: the grain of timers. Spinning on setImmediate instead would burn a core. */
export const tickMs = 1;

/** A transaction that begins later than this after the last one is on a server with time to spare. */
const busyMs = 2;

/**
 * A pause ends after so long. Measured with verbs of 12 tasks from another process, 40,000 tasks/s: 84-118 tasks a commit
 * without pauses, 194-235 with; verbs of 4, 15,000 tasks/s: 6-20 and 68-74. It is also what the median verb then waits,
 * 2-3 ms. Longer would double the wait for a second 1 % of the time.
 */
const longestMs = 3;

/** Rows that are worth a commit: its fixed cost is then below 1 µs a row. */
const enoughRows = 256;

/** Transactions without a pause after one that was in vain, at most. */
const longestRest = 256;

/**
 * Decides whether the next transaction begins at once or a little later, with more verbs in it. A commit costs 0.1-0.15 ms
 * of processor time whatever it carries, and a busy server would pay that for every dozen tasks.
 *
 * A pause gains something when verbs keep coming in while nothing is answered: from many clients, or from one that does not
 * wait. It goes on while they do, tick by tick. When a tick brings none, whoever is there waits for an answer: the pause ends,
 * was in vain, and the next 1, 2, 4 … 256 transactions begin at once. So one caller, who asks only when answered, loses
 * 1 ms in 256 commits; on an idle server nobody ever waits.
 *
 * Pure: the times are passed in.
 */
export class Pacing {
  #endedAt = -Infinity;
  #pausedAt = 0;
  /** Transactions still to begin at once. */
  #rest = 0;
  #nextRest = 1;

  /** Whether to pause; asked when the first verb waits. `rows` is what waits so far. */
  shouldPause(now: number, rows: number): boolean {
    if (now - this.#endedAt > busyMs || rows >= enoughRows) return false;
    if (this.#rest > 0) {
      this.#rest--;
      return false;
    }
    this.#pausedAt = now;
    return true;
  }

  /** Whether to go on pausing; asked a tick later. `arrived` counts the verbs of this tick. */
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

  /** The transaction is over. */
  ended(now: number): void {
    this.#endedAt = now;
  }
}
