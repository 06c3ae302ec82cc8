import type { SchedulerClientInfo } from "./events.ts";

/**
 * The voices against a task or kernel (SPEC.md [TRUST-2]): each trusted client is a voice, and so are all strangers of a cohort together,
 * however many identities one person has.
 */
export class Voices {
  readonly #cohorts = new Set<string>();
  /** Whether a trusted client is among the voices. */
  trusted = false;

  get size(): number {
    return this.#cohorts.size;
  }

  /** Adds the client's voice. @returns whether the voice is new */
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
