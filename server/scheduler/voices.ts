import type { SchedulerClientInfo } from "./events.ts";

/**
 * Those that speak against a task or kernel (SPEC.md [TRUST-2]): trusted clients each for itself, strangers once a cohort, however many
 * identities a person has.
 */
export class Voices {
  readonly #cohorts = new Set<string>();
  /** Whether a trusted client is among them. */
  trusted = false;

  get size(): number {
    return this.#cohorts.size;
  }

  /** @returns whether this is a new voice */
  add({ cohort, trusted }: SchedulerClientInfo): boolean {
    const before = this.#cohorts.size;
    this.#cohorts.add(cohort);
    if (trusted) this.trusted = true;
    return this.#cohorts.size > before;
  }

  has({ cohort }: SchedulerClientInfo): boolean {
    return this.#cohorts.has(cohort);
  }

  clear(): void {
    this.#cohorts.clear();
    this.trusted = false;
  }
}
