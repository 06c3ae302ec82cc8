import type { ClientId, TaskIndex } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { halve, isNewcomer, roomFor, unknownWorkMs, type Cohort } from "./credit.ts";
import { suits } from "./requirements.ts";
import {
  noLeases,
  noTaskLeases,
  type Client,
  type Job,
  type Lease,
  type State,
  type StrangersLease,
  type Task,
  type Unfinished,
} from "./state.ts";
import type { TaskQueue } from "./task-queue.ts";

/** Least work of a task, because leasing and reporting a task is work, too. */
const leastWorkMs = 0.05;
/**
 * Bytes of inline values that may wait for a client's network: enough for 250 MB/s, as the network asks for more once it has taken some,
 * and 4 s at 0.5 Mbit/s, for which messages wait behind them.
 */
const mostUnreadBytes = 256 * 1024;
/** Number of faults after which a stranger may be barred from a job; fewer may be accidents of its machine. */
const faultsBarred = 3;

/** The queue in which the task waits while it is not leased. */
export function queueOf({ job, audit, opinions }: Task): TaskQueue<Task> {
  if (audit) return job.audits;
  return opinions ? job.seconds : job.queue;
}

/** Ties a task to a client. The caller has taken the task out of the queue. */
export function addLease(state: State, task: Task, client: Client, attempt: number): Lease {
  const { timeoutMs } = task.job.info.descriptor;
  // A client works its queue in order and ends a kernel at timeoutMs itself; the lease only has to outlive that. Sixty
  // seconds of slack for frames, clocks and start-up.
  const rounds = Math.floor(client.leases.size / Math.max(1, client.slots));
  const lease: Lease = {
    task,
    client: client.info.id,
    attempt,
    leasedAt: state.now,
    expiresAt: state.now + timeoutMs * (rounds + 1) + 60_000,
    progress: 0,
    rounds,
    stranger: client.credit && strangersLease(state, client, task.job),
    continues: undefined,
  };
  task.place = "leased";
  if (task.failures) task.job.suspects.delete(task);
  if (task.leases.length > 0) task.job.overdue.delete(task);
  if (attempt < limits.firstCallAttempt) {
    task.lastAttempt = Math.max(task.lastAttempt, attempt);
    task.job.highestAttempt = Math.max(task.job.highestAttempt, attempt);
  }
  task.leases = task.leases.length === 0 ? [lease] : [...task.leases, lease];
  if (client.leases === noLeases) client.leases = new Set();
  client.leases.add(lease);
  // A client with credit left stays where it is.
  if (spareCredit(client) <= 0) noteCredit(state, client);
  return lease;
}

function strangersLease(state: State, client: Client, job: Job): StrangersLease {
  const workMs = workOf(job);
  client.heldMs += workMs;
  const cohort = isNewcomer(client.delivered) ? state.cohorts.get(client.info.cohort) : undefined;
  if (cohort) cohort.newcomersHold += 1;
  return { workMs, cohort, movedAt: state.now };
}

function returnCredit(state: State, client: Client | undefined, { workMs, cohort }: StrangersLease): void {
  if (client) client.heldMs = Math.max(0, client.heldMs - workMs);
  if (!cohort) return;
  cohort.newcomersHold -= 1;
  // The other newcomers of the cohort may wait for this room.
  state.supplyChanged = true;
}

/** Most leases of a cohort's newcomers at which they get tasks of the job: half of its open tasks while other clients are there. */
function mostForNewcomers(state: State, { members }: Cohort, job: Job): number {
  return state.clients.size > members ? Math.ceil(job.tasks.size / 2) : job.tasks.size;
}

/** Expected work of a task of the job, in ms. */
function workOf({ meanMs }: Job): number {
  return meanMs === undefined ? unknownWorkMs : Math.max(meanMs, leastWorkMs);
}

/** Number of further leases of the job that the client asks for, within a stranger's credit. */
export function leasesFor(state: State, client: Client, job: Job): number {
  const asked = spareCredit(client);
  if (!client.credit || asked <= 0) return asked;
  const workMs = workOf(job);
  const own = roomFor(client.credit, client.leases.size, client.heldMs, workMs);
  if (!isNewcomer(client.delivered)) return Math.min(asked, own);
  const cohort = state.cohorts.get(client.info.cohort);
  const together = cohort ? mostForNewcomers(state, cohort, job) - cohort.newcomersHold : 0;
  return Math.min(asked, own, together);
}

/**
 * Unties a lease from client and task. The caller decides the place of the task.
 * @param end - how the attempt ended without a result; absent when there is one
 */
export function removeLease(state: State, lease: Lease, end?: Unfinished): void {
  const { task } = lease;
  if (end !== undefined && state.config.onUnfinished && isRunning(state, lease))
    state.config.onUnfinished(lease, end);
  const isOnly = task.leases.length === 1 && task.leases[0] === lease;
  task.leases = isOnly ? noTaskLeases : task.leases.filter((other) => other !== lease);
  const client = state.clients.get(lease.client);
  if (lease.stranger) returnCredit(state, client, lease.stranger);
  if (!client) return;
  client.leases.delete(lease);
  noteCredit(state, client);
}

/** Whether the lease is among the oldest of its client, one a slot: the others wait in the client's queue. */
function isRunning(state: State, lease: Lease): boolean {
  const client = state.clients.get(lease.client);
  let slots = client?.slots ?? 0;
  for (const held of client?.leases ?? []) {
    if (slots-- <= 0) return false;
    if (held === lease) return true;
  }
  return false;
}

/** Whether the network has as many bytes of leases for the client as may wait for it (SPEC.md [MILES-1]). */
export function isFull({ unreadBytes }: Client): boolean {
  return unreadBytes >= mostUnreadBytes;
}

/** Number of further leases that the client asks for; 0 when a stranger's credit is used up, or when the network is behind. */
export function spareCredit(client: Client): number {
  const { vanishedAt, wanted, leases, credit, heldMs, drained } = client;
  if (vanishedAt !== undefined || drained || isFull(client)) return 0;
  const asked = wanted - leases.size;
  return credit && asked > 0 && credit.tasks <= leases.size && credit.ms <= heldMs ? 0 : asked;
}

/** Whether a stranger is barred from the job, because it failed at several of its tasks at which others did not. */
export function isBarred({ faults, delivered }: Client, job: Job): boolean {
  const count = faults?.get(job.id) ?? 0;
  return count >= faultsBarred && count * 10 > delivered;
}

/** To be called after every change of a client's credit. */
export function noteCredit(state: State, client: Client): void {
  if (spareCredit(client) > 0) {
    if (state.newlyHungry.has(client)) return;
    if (!state.hungry.has(client)) {
      state.hungry.add(client);
      for (const jobs of [state.unmet, state.uncomputed])
        for (const job of jobs) if (suits(client.info, job.info)) jobs.delete(job);
    }
    state.newlyHungry.add(client);
    return;
  }
  state.hungry.delete(client);
  state.newlyHungry.delete(client);
}

/** Halves a stranger's credit for work that was not delivered, or wrong; a trusted client has no credit. */
export function loseCredit(state: State, client: Client | undefined): void {
  if (!client?.credit) return;
  halve(client.credit);
  noteCredit(state, client);
}

/** Forgets a lease that was brought back before its task was claimed. False when the client had none. */
export function forgetAdopted(job: Job, client: ClientId, index: TaskIndex): boolean {
  return job.adopted.get(index)?.client === client && job.adopted.delete(index);
}

/**
 * Whether tasks of a job are handed out at present: not while it is paused, its customer's quota is full, or its kernel is damaged on the
 * server's disk.
 */
export function isHandedOut({ full, missing }: State, { info }: Job): boolean {
  return !info.paused && !full.has(info.customer) && !missing.has(info.descriptor.kernel.sha256);
}

/** Whether a task needs data that is damaged on the server's disk: the task waits until the data is put again. */
export function lacksData({ missing }: State, { claimed, job }: Task): boolean {
  if (missing.size === 0) return false;
  return (
    missing.has(job.info.descriptor.kernel.sha256) || claimed.refs.some(({ sha256 }) => missing.has(sha256))
  );
}

/** Whether clients are believed to hold the leases that they claim (see {@link SchedulerConfig.believeUntil}). */
export function believes({ config, now }: State, job: Job): boolean {
  if (now < (config.believeUntil ?? 0)) return true;
  // Strangers that choose their tasks could make a quorum among themselves.
  return config.shared === true && typeof job.info.verify !== "object";
}

/** Puts a task back in its queue unless another lease still holds it. */
export function requeue(state: State, task: Task): void {
  if (task.leases.length > 0 || task.place === "settling") return;
  state.supplyChanged = true;
  task.place = "queued";
  task.job.overdue.delete(task);
  queueOf(task).putBack(task);
  if (task.failures && task.failures.accused.size > 0 && !task.failures.isConfirmed)
    task.job.suspects.add(task);
}

/** Takes the tasks of a job back that only trusted clients may compute from now on. */
export function takeFromStrangers(state: State, job: Job): void {
  for (const task of job.tasks.values())
    for (const lease of task.leases) {
      if (!lease.stranger) continue;
      cancelLease(state, lease);
      requeue(state, task);
    }
  for (const [index, { client }] of job.adopted)
    if (state.clients.get(client)?.info.trusted !== true) job.adopted.delete(index);
}

/** Takes a lease back without counting an attempt, and stops its task. */
function cancelLease(state: State, lease: Lease): void {
  const { task, client } = lease;
  removeLease(state, lease, "cancelled");
  state.out.push({ type: "sendCancel", client, job: task.job.id, indexes: [task.index] });
}

/** Puts a task back whose output the store has answered, or refused. */
export function putBack(state: State, task: Task): void {
  task.place = "leased";
  requeue(state, task);
}
