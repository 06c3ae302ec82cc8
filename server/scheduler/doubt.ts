import type { TaskIndex } from "../../shared/ids.ts";

/** Cohorts that differ from trusted clients before the kernel may be doubted. */
const leastCohorts = 3;
/** Tasks whose result was wrong twice before the kernel may be doubted. */
const leastRepeated = 3;
/** Tasks with a wrong result that are remembered; the oldest is forgotten first. */
const mostRefuted = 256;

/** Evidence of audits about the question whether strangers cheat or the kernel gives different results (SPEC.md [VERIFY-5]). */
export class Doubt {
  readonly #cohorts = new Set<string>();
  /** Tasks with a wrong result that no other cohort has computed, and the cohort of that result. */
  readonly #refuted = new Map<TaskIndex, string>();
  #agreed = 0;
  #wrong = 0;
  /** Refuted tasks at which another cohort's result was wrong as well, and those at which it was right. */
  #repeated = 0;
  #cleared = 0;

  /** Whether another cohort's result of the task was found wrong, so that a result of this cohort tells who is at fault. */
  isRefuted(index: TaskIndex, cohort: string): boolean {
    const other = this.#refuted.get(index);
    return other !== undefined && other !== cohort;
  }

  noteAgreed(index: TaskIndex, cohort: string): void {
    this.#agreed += 1;
    if (!this.isRefuted(index, cohort)) return;
    this.#refuted.delete(index);
    this.#cleared += 1;
  }

  noteWrong(index: TaskIndex, cohort: string): void {
    this.#cohorts.add(cohort);
    this.#wrong += 1;
    if (this.isRefuted(index, cohort)) {
      this.#refuted.delete(index);
      this.#repeated += 1;
      return;
    }
    this.#refuted.set(index, cohort);
    if (this.#refuted.size <= mostRefuted) return;
    for (const oldest of this.#refuted.keys()) return void this.#refuted.delete(oldest);
  }

  /** Whether the kernel is at fault rather than the strangers. */
  get isOfKernel(): boolean {
    if (this.#cohorts.size < leastCohorts) return false;
    return this.#wrong > this.#agreed || this.#repeated >= Math.max(leastRepeated, this.#cleared + 1);
  }
}
