/** Time of a lease that may pass without computing: the journey of task and result, data, start-up. */
const journeyMs = 1000;

/**
 * A reported run time within the bounds of the server's own clock (SPEC.md [KERNEL-8]): a client may report too much, and too little.
 * @param heldMs - time from the lease to the result
 * @param rounds - rounds of the client's slots before the task's turn
 */
export function boundedMs(reportedMs: number, heldMs: number, rounds: number): number {
  const leastMs = (heldMs - journeyMs) / (2 * (rounds + 1));
  return Math.min(Math.max(reportedMs, leastMs), heldMs);
}

/** Most cohorts of a job whose run times are kept; the oldest entry is dropped first. */
const maxCohorts = 32;

/**
 * The usual run time of a task of a job: the upper median over cohorts of their smoothed run times. Strangers report the run times of
 * their own tasks, and invented results that come at once would make the tasks seem tiny; few cohorts cannot move a median.
 */
export class UsualTime {
  readonly #means = new Map<string, number>();

  /** @param ms - run times of delivered tasks of one client */
  add(cohort: string, ms: readonly number[]): void {
    let mean = this.#means.get(cohort);
    for (const sample of ms) mean = mean === undefined ? sample : mean + (sample - mean) / 16;
    if (mean === undefined) return;
    this.#means.set(cohort, mean);
    if (this.#means.size <= maxCohorts) return;
    for (const [oldest] of this.#means) {
      this.#means.delete(oldest);
      return;
    }
  }

  /** The usual run time in ms; undefined before the first result. */
  get ms(): number | undefined {
    if (this.#means.size <= 1) {
      for (const mean of this.#means.values()) return mean;
      return undefined;
    }
    const sorted = [...this.#means.values()].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }
}
