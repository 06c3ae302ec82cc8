import type { TaskIndex } from "../../../shared/ids.ts";
import type { Claims, JobClaims } from "../sql/claims.ts";
import type { Step } from "../sql/database.ts";
import { IndexSet } from "../sql/index-set.ts";
import type { CachedJob } from "../sql/job-cache.ts";
import type { ProvisionalPacks } from "../sql/provisional-packs.ts";
import { keptClaims } from "../sql/verbs/provisional-claims.ts";

/** The claims of the only server of a database, in memory: the end of the process ends them. A rollback leaves them as they are. */
export class LocalClaims implements Claims {
  readonly #provisional: ProvisionalPacks;
  readonly #afterCommit: (effect: () => void) => void;
  /** The claims by the job's number. */
  readonly #jobs = new Map<number, LocalJobClaims>();

  constructor(provisional: ProvisionalPacks, afterCommit: (effect: () => void) => void) {
    this.#provisional = provisional;
    this.#afterCommit = afterCommit;
  }

  *open(job: CachedJob): Step<JobClaims> {
    const known = this.#jobs.get(job.number);
    if (known) return known;
    const claims = new LocalJobClaims(job.lowWater);
    const kept = yield* keptClaims(this.#provisional, job);
    for (const index of kept?.indexes() ?? []) claims.add(index);
    this.#jobs.set(job.number, claims);
    return claims;
  }

  /* oxlint-disable eslint/require-yield -- Claims in memory need no query. */

  *find({ number }: CachedJob): Step<JobClaims | undefined> {
    return this.#jobs.get(number);
  }

  *change({ number }: CachedJob, effect: (claims: JobClaims) => void): Step<void> {
    const claims = this.#jobs.get(number);
    if (claims) this.#afterCommit(() => effect(claims));
  }

  /* oxlint-enable eslint/require-yield */

  drop({ number }: CachedJob): void {
    this.#afterCommit(() => this.#jobs.delete(number));
  }
}

class LocalJobClaims implements JobClaims {
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

  /** The only server keeps such claims like any other, and finds them again after a restart. */
  keep(index: TaskIndex): void {
    this.#claimed.add(index);
  }

  release(index: TaskIndex): void {
    this.#claimed.delete(index);
  }

  giveBack(index: TaskIndex): void {
    if (this.#claimed.delete(index)) this.lookAgain(index);
  }

  lookAgain(index: TaskIndex): void {
    if (index >= this.cursor) return;
    this.#returned.push(index);
    this.#sorted = false;
  }

  rewind(index: TaskIndex): void {
    if (index >= this.cursor) return;
    this.cursor = index;
    this.#returned = this.#returned.filter((returned) => returned < index);
  }

  takeReturned(): TaskIndex | undefined {
    if (!this.#sorted) {
      // The list is sorted but for a few new indexes at its end, which the engine's merge sort handles in linear time.
      this.#returned.sort((a, b) => b - a);
      this.#sorted = true;
    }
    return this.#returned.pop();
  }

  lowWater(): TaskIndex {
    let low = Math.min(this.cursor, this.#claimed.lowest());
    for (const index of this.#returned) if (index < low) low = index;
    return low;
  }
}
