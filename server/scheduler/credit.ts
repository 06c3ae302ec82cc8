import type { SchedulerClientInfo } from "./events.ts";

/**
 * What strangers may hold (SPEC.md, CREDIT rules). A newcomer holds little, and twice as much with each round that it delivers; the
 * newcomers of a cohort leave half of each job to others, so that many identities of one person take nothing from them.
 */

/** Leases, or the work of leases in ms, whichever allows more: tiny tasks are counted by their work. */
export interface Credit {
  tasks: number;
  ms: number;
}

/** The strangers of one cohort that are connected, or within their grace time. */
export interface Cohort {
  members: number;
  /** Leases that the newcomers among them hold. */
  newcomersHold: number;
}

/** The slots that a newcomer claims give it a lease each, between these bounds. */
const leastTasks = 4;
const mostTasks = 16;
const newcomerMs = 1000;
/** Results after which an identity is no newcomer any more. */
const newcomerResults = 16;
const clientLeast: Readonly<Credit> = { tasks: 1, ms: 50 };
/** As many leases as a client may ask for, and enough work for a few hundred slots. */
const clientMost: Readonly<Credit> = { tasks: 16_384, ms: 3_600_000 };
/** Work of a task of which nobody knows how long it takes: a newcomer takes no more than its count of them. */
export const unknownWorkMs = 250;

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
export function grow(credit: Credit, workMs: number): void {
  credit.tasks = Math.min(clientMost.tasks, credit.tasks + 1);
  credit.ms = Math.min(clientMost.ms, credit.ms + workMs);
}

/** Work that was not delivered, or wrong. */
export function halve(credit: Credit): void {
  credit.tasks = Math.max(clientLeast.tasks, Math.floor(credit.tasks / 2));
  credit.ms = Math.max(clientLeast.ms, credit.ms / 2);
}
