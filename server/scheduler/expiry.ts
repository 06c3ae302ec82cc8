import { leaseTask, mayRun } from "./assign.ts";
import { loseClient } from "./clients.ts";
import { isHandedOut, loseCredit, removeLease, spareCredit } from "./leases.ts";
import { loseAttempt } from "./results.ts";
import type { Client, Job, Lease, State, Task } from "./state.ts";

/** A stranger counts as silent after this many times the usual time of its task. */
const silentFactor = 3;
/** Least usual time, because results of tiny tasks may be travelling, and the assumed usual time of a job without results. */
const leastUsualMs = 300;
const unknownUsualMs = 20_000;
/** No second lease before this age: a result may be travelling. */
const speculateAfterMs = 1000;
/** A second lease is given when the first lasts this many times the mean of its job. */
const speculateFactor = 2;
/** Work that each slot of an idle client gets as second leases at a time (SPEC.md [MILES-5]). */
const backupMs = 1000;
/** Least time between two looks for tasks that run long. */
const speculateEveryMs = 100;

/** Loses clients past their grace time and leases past their end: their tasks return to the queue (SPEC.md [LEASE-3]). */
export function expire(state: State): void {
  for (const client of state.clients.values()) {
    if (client.vanishedAt !== undefined && state.now - client.vanishedAt >= state.config.graceMs) {
      loseClient(state, client);
      continue;
    }
    // All leases are looked at: a later lease may be of a job with a shorter timeout.
    for (const lease of client.leases) if (lease.expiresAt <= state.now) lapse(state, lease);
  }
}

/**
 * Finds tasks whose strangers are silent for too long, so that another cohort gets them as well (SPEC.md [CREDIT-3]). Of two silent
 * holders of a task the first loses its lease.
 */
export function noteOverdue(state: State): void {
  for (const client of state.clients.values())
    if (client.credit)
      for (const { task } of client.leases)
        if (
          !task.audit &&
          !task.job.overdue.has(task) &&
          task.leases.every((lease) => isSilent(state, lease))
        )
          spread(state, task);
}

function spread(state: State, task: Task): void {
  for (const { client } of task.leases) loseCredit(state, state.clients.get(client));
  const [first, second] = task.leases;
  if (first && second) giveUp(state, first);
  task.patience *= 2;
  task.job.overdue.add(task);
  state.supplyChanged = true;
}

function isSilent(state: State, { task, rounds, stranger }: Lease): boolean {
  if (!stranger) return false;
  const usualMs = Math.max(task.job.meanMs ?? unknownUsualMs, leastUsualMs);
  return state.now - stranger.movedAt >= silentFactor * usualMs * (rounds + 1) * task.patience;
}

/** Takes a lease back without counting an attempt. A late result is still taken. */
function giveUp(state: State, lease: Lease): void {
  const { task } = lease;
  removeLease(state, lease, "cancelled");
  (task.triedBy ??= new Set()).add(lease.client);
  state.out.push({ type: "sendCancel", client: lease.client, job: task.job.id, indexes: [task.index] });
}

function lapse(state: State, lease: Lease): void {
  removeLease(state, lease, "lost");
  state.counts.lostLeases += 1;
  const { task } = lease;
  state.out.push({ type: "sendCancel", client: lease.client, job: task.job.id, indexes: [task.index] });
  loseAttempt(state, lease, "The lease lapsed: the client neither delivered nor ended the task in its time.");
}

/**
 * When slots idle, or will within {@link backupMs}, and a job has nothing queued, the tasks that run longest get a second lease on another
 * client; the first result wins, the other is cancelled. (MapReduce calls these backup tasks: Dean & Ghemawat 2004, §3.6.)
 */
export function speculate(state: State): void {
  if (!state.config.speculate || !state.leasing) return;
  state.speculatedAt = state.now;
  const idle = [...state.hungry].filter(({ info }) => !info.auditor);
  if (idle.length === 0) return;
  const slow = slowLeases(state);
  for (const client of idle)
    while (slow.length > 0 && spareCredit(client) > 0 && giveBackup(state, client, slow));
}

/** The same after results, which leave a client of tiny tasks without work long before the next second. */
export function speculateAgain(state: State): void {
  if (state.now - state.speculatedAt >= speculateEveryMs) speculate(state);
}

/** Whether the client will have idle slots before a second lease of a task of the job is given again. */
function isIdle({ leases, slots }: Client, { meanMs = backupMs }: Job): boolean {
  return leases.size < slots || leases.size * meanMs < backupMs * slots;
}

function giveBackup(state: State, client: Client, slow: Lease[]): boolean {
  const at = slow.findIndex((lease) => mayBackUp(state, client, lease));
  const lease = slow[at];
  if (!lease) return false;
  slow.splice(at, 1);
  const task = leaseTask(state, client, lease.task);
  state.counts.speculativeLeases += 1;
  state.out.push({
    type: "sendLease",
    client: client.info.id,
    job: lease.task.job.info.descriptor,
    tasks: [task],
  });
  return true;
}

/** Whether a client may have a second lease of the task: not the holder, and no client of an unproven holder's cohort. */
function mayBackUp(state: State, client: Client, lease: Lease): boolean {
  const { job } = lease.task;
  if (lease.client === client.info.id || !mayRun(client, job) || !isIdle(client, job)) return false;
  return !isUnproven(state, lease) || state.clients.get(lease.client)?.info.cohort !== client.info.cohort;
}

/** Single leases that run long, of healthy tasks of jobs whose queue and store are empty; oldest first. */
function slowLeases(state: State): Lease[] {
  const slow: Lease[] = [];
  for (const job of state.jobs.values()) {
    if (job.queue.size > 0 || !job.exhausted || !isHandedOut(state, job)) continue;
    slow.push(...slowLeasesOf(state, job));
  }
  return slow.sort((a, b) => a.leasedAt - b.leasedAt);
}

function slowLeasesOf(state: State, job: Job): Lease[] {
  const longMs = Math.max(speculateAfterMs, speculateFactor * (job.meanMs ?? Infinity));
  const slow: Lease[] = [];
  for (const task of job.tasks.values()) {
    const lease = task.leases[0];
    // A task that failed before is not spread to a second client at the same time.
    if (task.leases.length !== 1 || !lease || task.triedBy || task.audit || task.opinions) continue;
    const leastMs = isUnproven(state, lease) ? speculateAfterMs : longMs;
    if (state.now - lease.leasedAt >= leastMs) slow.push(lease);
  }
  return slow;
}

/** Whether the holder is a stranger without a delivered result, which may hoard the tasks that it got while it was alone. */
function isUnproven(state: State, { client }: Lease): boolean {
  const holder = state.clients.get(client);
  return holder?.credit !== undefined && holder.delivered === 0;
}
