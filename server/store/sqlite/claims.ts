import type { TaskIndex } from "../../../shared/ids.ts";
import { IndexSet } from "./index-set.ts";

/**
 * The tasks of one job that this server has claimed, and the progress of its walk over the others. Claims are in memory only:
 * one process owns the data directory, so the end of the process ends its claims.
 *
 * Every task below `cursor` has an outcome, is claimed, or waits in `returned`. A job of 10^6 tasks is therefore walked once,
 * never loaded whole, and costs memory for its claimed tasks only.
 */
export class JobClaims {
  /** The first task that the walk has not reached. */
  cursor: TaskIndex;
  readonly #claimed = new IndexSet();
  /** Open tasks below the cursor, highest first once sorted. */
  #returned: TaskIndex[] = [];
  #sorted = true;

  constructor(cursor: TaskIndex) {
    this.cursor = cursor;
  }

  has(index: TaskIndex): boolean {
    return this.#claimed.has(index);
  }

  add(index: TaskIndex): void {
    this.#claimed.add(index);
  }

  /** Drops the claim of a task that has ended. */
  release(index: TaskIndex): void {
    this.#claimed.delete(index);
  }

  /** Gives a claim back, so that the task can be claimed again. */
  giveBack(index: TaskIndex): void {
    if (this.#claimed.delete(index)) this.lookAgain(index);
  }

  /** Notes a possibly open task that the walk has passed. */
  lookAgain(index: TaskIndex): void {
    if (index >= this.cursor) return;
    this.#returned.push(index);
    this.#sorted = false;
  }

  /** Moves the walk back to `index`. */
  rewind(index: TaskIndex): void {
    if (index >= this.cursor) return;
    this.cursor = index;
    this.#returned = this.#returned.filter((returned) => returned < index);
  }

  /** The lowest noted index. Its task may have ended meanwhile. */
  takeReturned(): TaskIndex | undefined {
    if (!this.#sorted) {
      // The list is sorted but for a few new indexes at its end, which the engine's merge sort handles in linear time.
      this.#returned.sort((a, b) => b - a);
      this.#sorted = true;
    }
    return this.#returned.pop();
  }

  /** An index below which every task has an outcome. Linear in the noted tasks, so not for every verb. */
  lowWater(): TaskIndex {
    let low = Math.min(this.cursor, this.#claimed.lowest());
    for (const index of this.#returned) if (index < low) low = index;
    return low;
  }
}
