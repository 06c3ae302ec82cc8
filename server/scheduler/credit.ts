import type { SchedulerClientInfo } from "./events.ts";

/**
 * Most leases that a stranger may hold (SPEC.md [CREDIT-1]), as a number of leases and as their expected work in ms. The larger bound
 * counts, so that tiny tasks are bounded by their work.
 */
export interface Credit {
  tasks: number;
  ms: number;
}

/** The strangers of one cohort that are connected, or within their grace time. Its newcomers leave half of each job to others. */
export interface Cohort {
  members: number;
  /** Leases that the newcomers of the cohort hold. */
  newcomersHold: number;
}

/** A newcomer may hold a lease for each slot that it claims, between these bounds. */
const leastTasks = 4;
const mostTasks = 16;
const newcomerMs = 1000;
/** Results after which an identity is no newcomer any more. */
const newcomerResults = 16;
const clientLeast: Readonly<Credit> = { tasks: 1, ms: 50 };
/** The most leases that a client may ask for, and enough work for a few hundred slots. */
const clientMost: Readonly<Credit> = { tasks: 16_384, ms: 3_600_000 };
/** Expected work of a task of a job without results, so long that a newcomer's count of leases is its bound. */
export const unknownWorkMs = 250;

export function newCredit({ slots }: SchedulerClientInfo): Credit {
  return { tasks: Math.min(mostTasks, Math.max(leastTasks, slots)), ms: newcomerMs };
}

/** Whether an identity is a newcomer after `delivered` results. */
export function isNewcomer(delivered: number): boolean {
  return delivered < newcomerResults;
}

/** Number of further leases of about `workMs` each within the credit; may be negative. */
export function roomFor(credit: Credit, heldTasks: number, heldMs: number, workMs: number): number {
  return Math.max(credit.tasks - heldTasks, Math.floor((credit.ms - heldMs) / workMs));
}

/** Adds a delivered result, so that the credit doubles with each delivered round of leases. */
export function grow(credit: Credit, workMs: number): void {
  credit.tasks = Math.min(clientMost.tasks, credit.tasks + 1);
  credit.ms = Math.min(clientMost.ms, credit.ms + workMs);
}

/** Halves the credit for work that was not delivered, or failed where others did not. */
export function halve(credit: Credit): void {
  credit.tasks = Math.max(clientLeast.tasks, Math.floor(credit.tasks / 2));
  credit.ms = Math.max(clientLeast.ms, credit.ms / 2);
}
