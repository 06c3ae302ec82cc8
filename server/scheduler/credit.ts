import type { SchedulerClientInfo } from "./events.ts";

/**
 * What strangers may hold (SPEC.md, CREDIT rules). A newcomer holds little, and twice as much with each round that it delivers; the
 * newcomers of a cohort hold little together, so that many identities of one person are no better than one.
 */

/** Leases, or the work of leases in ms, whichever allows more: tiny tasks are counted by their work. */
export interface Credit {
  tasks: number;
  ms: number;
}

/** The newcomers of one cohort: what they hold together, and may hold. */
export interface Newcomers {
  readonly credit: Credit;
  heldTasks: number;
  heldMs: number;
  /** When a member last took or returned a lease. */
  movedAt: number;
}

/** The slots that a newcomer claims give it a lease each, between these bounds. */
const leastTasks = 4;
const mostTasks = 16;
const newcomerMs = 1000;
/** Results after which an identity is no newcomer any more. */
const newcomerResults = 16;
const cohortStart: Readonly<Credit> = { tasks: 64, ms: 16_000 };
const cohortLeast: Readonly<Credit> = { tasks: 4, ms: 1000 };
const cohortMost: Readonly<Credit> = { tasks: 4096, ms: 1_000_000 };
const clientLeast: Readonly<Credit> = { tasks: 1, ms: 50 };
/** As many leases as a client may ask for, and enough work for a few hundred slots. */
const clientMost: Readonly<Credit> = { tasks: 16_384, ms: 3_600_000 };
/** Work of a task of which nobody knows how long it takes: a newcomer takes no more than its count of them. */
export const unknownWorkMs = 250;
/** Cohorts without a lease are forgotten after this; until then a cohort that did not deliver keeps its low credit. */
const forgetMs = 900_000;
const maxCohorts = 50_000;

export function newCredit({ slots }: SchedulerClientInfo): Credit {
  return { tasks: Math.min(mostTasks, Math.max(leastTasks, slots)), ms: newcomerMs };
}

/** Whether an identity that delivered so many results still counts as a newcomer. */
export function isNewcomer(delivered: number): boolean {
  return delivered < newcomerResults;
}

/** More leases of about `workMs` each that fit; may be below 0. */
export function roomFor(credit: Credit, heldTasks: number, heldMs: number, workMs: number): number {
  return Math.max(credit.tasks - heldTasks, Math.floor((credit.ms - heldMs) / workMs));
}

/** A delivered result: the credit doubles with each round of what it allows. */
export function grow(credit: Credit, workMs: number, most: Readonly<Credit> = clientMost): void {
  credit.tasks = Math.min(most.tasks, credit.tasks + 1);
  credit.ms = Math.min(most.ms, credit.ms + workMs);
}

/** Work that was not delivered, or wrong. */
export function halve(credit: Credit, least: Readonly<Credit> = clientLeast): void {
  credit.tasks = Math.max(least.tasks, Math.floor(credit.tasks / 2));
  credit.ms = Math.max(least.ms, credit.ms / 2);
}

/** The newcomers of every cohort that lately held something. */
export class Cohorts {
  readonly #byName = new Map<string, Newcomers>();

  of(cohort: string, now: number): Newcomers {
    const known = this.#byName.get(cohort);
    if (known) return known;
    const made = { credit: { ...cohortStart }, heldTasks: 0, heldMs: 0, movedAt: now };
    this.#byName.set(cohort, made);
    if (this.#byName.size > maxCohorts) this.#forgetOne();
    return made;
  }

  grow(newcomers: Newcomers, workMs: number): void {
    grow(newcomers.credit, workMs, cohortMost);
  }

  halve(newcomers: Newcomers): void {
    halve(newcomers.credit, cohortLeast);
  }

  forgetIdle(now: number): void {
    for (const [name, { heldTasks, movedAt }] of this.#byName)
      if (heldTasks === 0 && now - movedAt > forgetMs) this.#byName.delete(name);
  }

  #forgetOne(): void {
    for (const [name, { heldTasks }] of this.#byName)
      if (heldTasks === 0) {
        this.#byName.delete(name);
        return;
      }
  }
}
