import type { TaskIndex } from "../../../shared/ids.ts";
import { IndexSet } from "./index-set.ts";

/**
 * Which tasks of one job this server has claimed, and how far it has looked. Kept in memory only: one process owns the
 * data directory, so its end ends its claims.
 *
 * Every task below `cursor` has an outcome, is claimed, or waits in `returned`. A job of 10^6 tasks is therefore walked
 * once, never loaded whole, and costs memory for its claimed tasks only.
 */
export class JobClaims {
  /** Tasks at or above this index have not been looked at. */
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

  /** The task has ended: nobody computes it on. */
  release(index: TaskIndex): void {
    this.#claimed.delete(index);
  }

  /** Gives a claim back; the task can be claimed again. */
  giveBack(index: TaskIndex): void {
    if (this.#claimed.delete(index)) this.lookAgain(index);
  }

  /** A task that may be open and that the walk has passed already. */
  lookAgain(index: TaskIndex): void {
    if (index >= this.cursor) return;
    this.#returned.push(index);
    this.#sorted = false;
  }

  /** Walks again from `index` on. */
  rewind(index: TaskIndex): void {
    if (index >= this.cursor) return;
    this.cursor = index;
    this.#returned = this.#returned.filter((returned) => returned < index);
  }

  /** The lowest index to look at again. It may have ended meanwhile. */
  takeReturned(): TaskIndex | undefined {
    if (!this.#sorted) {
      // A sorted list with a few new ones at its end: the engine's merge sort takes linear time.
      this.#returned.sort((a, b) => b - a);
      this.#sorted = true;
    }
    return this.#returned.pop();
  }

  /** Every task below this index has an outcome. Linear in the returned tasks, so not for every verb. */
  lowWater(): TaskIndex {
    let low = Math.min(this.cursor, this.#claimed.lowest());
    for (const index of this.#returned) if (index < low) low = index;
    return low;
  }
}
