/** Cohorts whose run times are remembered of one job; the ones that were there longest go first. */
const maxCohorts = 32;

/**
 * How long a task of a job usually runs: the upper median of what its cohorts take, each smoothed. Strangers tell the run times of their
 * tasks themselves, and whoever answers at once with made-up results makes the tasks seem tiny; a median is not moved by few.
 */
export class UsualTime {
  readonly #means = new Map<string, number>();

  /** @param ms - run times of tasks that a client of the cohort delivered */
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

  /** In ms; undefined before the first result. */
  get ms(): number | undefined {
    if (this.#means.size <= 1) {
      for (const mean of this.#means.values()) return mean;
      return undefined;
    }
    const sorted = [...this.#means.values()].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }
}
