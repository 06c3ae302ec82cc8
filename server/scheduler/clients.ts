import type { ClientId, JobId, Sha256 } from "../../shared/ids.ts";
import type { LeaseKey } from "../../shared/wire/protocol.ts";
import { mayRun } from "./assign.ts";
import { newCredit } from "./credit.ts";
import type { SchedulerClientInfo } from "./events.ts";
import { ignore, ignoreLease } from "./ignore.ts";
import {
  addLease,
  believes,
  forgetAdopted,
  isFull,
  noteCredit,
  queueOf,
  removeLease,
  requeue,
} from "./leases.ts";
import { loseAttempt } from "./results.ts";
import { noLeases, nothingCached, type Client, type Job, type Lease, type State } from "./state.ts";
import { endSession, forgetWindow } from "./windows.ts";

/** Names in the cache list of one client: no client may grow the server's memory. */
const cachedNames = 8192;
/** Ended jobs whose lease numbers are remembered: clients remember no older jobs. */
const endedJobs = 10_000;
/**
 * Leases that one client may bring back, and leases that may wait for their claim in one job: far more than honest
 * clients hold.
 */
const adoptedLeases = 1024;
const adoptedPerJob = 16_384;

/**
 * A client connects, or comes back. Leases that the client still holds are its own again where the task is open, and
 * dropped where it is not; leases that a restarted client lost go back to the queue unharmed.
 */
export function connectClient(
  state: State,
  info: SchedulerClientInfo,
  held: readonly LeaseKey[],
  cached: readonly Sha256[],
): void {
  const known = state.clients.get(info.id);
  const client: Client = known ?? {
    info,
    vanishedAt: undefined,
    wanted: 0,
    slots: info.slots,
    leases: noLeases,
    cached: nothingCached,
    refsLeased: 0,
    refsCached: 0,
    credit: info.trusted ? undefined : newCredit(info),
    unreadBytes: 0,
    heldMs: 0,
    delivered: 0,
    faults: undefined,
    barred: 0,
    drained: false,
  };
  if (known?.info.cohort !== info.cohort) {
    if (known) leaveCohort(state, known);
    joinCohort(state, info);
  }
  client.info = info;
  client.vanishedAt = undefined;
  client.wanted = 0;
  client.unreadBytes = 0;
  client.slots = info.slots;
  client.cached = nothingCached;
  addCached(client, cached);
  state.clients.set(info.id, client);
  noteCredit(state, client);

  const stale = new Set(client.leases);
  const dropped: LeaseKey[] = [];
  for (const key of held) {
    const lease = [...(state.jobs.get(key.job)?.tasks.get(key.index)?.leases ?? [])].find(
      (other) => other.client === info.id && other.attempt === key.attempt,
    );
    if (lease) stale.delete(lease);
    else if (!adopt(state, client, key)) {
      ignoreLease(state, "a held lease that is dropped", info.id, key);
      dropped.push(key);
    }
  }
  for (const lease of stale) giveBack(state, lease);
  if (dropped.length > 0) state.out.push({ type: "sendDropped", client: info.id, leases: dropped });
}

/** Takes over a lease from before a restart of the server, or of a task that was taken back meanwhile. */
function adopt(state: State, client: Client, key: LeaseKey): boolean {
  const { id } = client.info;
  const job = state.jobs.get(key.job);
  if (!job || !mayRun(client, job) || client.leases.size >= adoptedLeases) return false;
  const task = job.tasks.get(key.index);
  if (!believes(state, job) && !task?.triedBy?.has(id)) return false;
  if (!task) {
    // A task below the claimed part that is unknown here has ended, or another server claimed it.
    if (key.index < job.claimedBelow && state.config.shared !== true) return false;
    const earlier = job.adopted.get(key.index);
    if (earlier ? earlier.client !== id : job.adopted.size >= adoptedPerJob) return false;
    job.adopted.set(key.index, { client: id, attempt: key.attempt });
    return true;
  }
  // A client does not choose a task to audit, least of all the author of the result.
  if (task.audit || task.place === "settling" || task.leases.length > 1) return false;
  if (task.leases.some((lease) => lease.client === id)) return false;
  if (task.place === "queued") queueOf(task).take(task);
  addLease(state, task, client, key.attempt);
  return true;
}

/**
 * Turns a lease that was brought back before its task was claimed into a lease of the claimed task. True when there
 * was one.
 */
export function takeAdopted(state: State, job: Job, index: number): boolean {
  const adopted = job.adopted.get(index);
  if (!adopted) return false;
  job.adopted.delete(index);
  const client = state.clients.get(adopted.client);
  const task = job.tasks.get(index);
  if (!client || client.vanishedAt !== undefined || !task) return false;
  addLease(state, task, client, adopted.attempt);
  return true;
}

/** The network took bytes of leases. A stranger that reads is not silent (SPEC.md [MILES-1]). */
export function noteRead(state: State, client: Client, bytes: number): void {
  const wasFull = isFull(client);
  client.unreadBytes = Math.max(0, client.unreadBytes - bytes);
  if (!wasFull) return;
  for (const { stranger } of client.leases) if (stranger) stranger.movedAt = state.now;
  noteCredit(state, client);
}

export function vanishClient(state: State, id: ClientId): void {
  const client = state.clients.get(id);
  if (!client) return ignore(state, "clientVanished", { client: id });
  client.vanishedAt ??= state.now;
  client.wanted = 0;
  // A client that comes back tells its cache anew.
  client.cached = nothingCached;
  noteCredit(state, client);
  // A client without leases has no grace time to wait for.
  if (client.leases.size === 0 && !hasAdopted(state, id)) removeClient(state, id);
}

function hasAdopted(state: State, id: ClientId): boolean {
  for (const job of state.jobs.values())
    for (const { client } of job.adopted.values()) if (client === id) return true;
  return false;
}

/**
 * After the time of belief, leases that were brought back and never claimed are forgotten: their tasks are open to
 * all clients.
 */
export function forgetUnclaimed(state: State): void {
  for (const job of state.jobs.values()) if (!believes(state, job)) job.adopted.clear();
}

/** The client said goodbye, or was banned: none of its leases counts as an attempt. */
export function removeClient(state: State, id: ClientId): void {
  const client = state.clients.get(id);
  if (!client) return ignore(state, "clientLeft", { client: id });
  for (const lease of client.leases) giveBack(state, lease);
  forgetAllAdopted(state, id);
  forget(state, client);
}

export function releaseLeases(state: State, id: ClientId, keys: readonly LeaseKey[]): void {
  for (const key of keys) {
    const lease = findLease(state, id, key);
    const job = state.jobs.get(key.job);
    if (lease) giveBack(state, lease);
    else if (!job || !forgetAdopted(job, id, key.index))
      ignoreLease(state, "a released lease that is not held", id, key);
  }
}

export function findLease(state: State, client: ClientId, key: LeaseKey): Lease | undefined {
  return state.jobs
    .get(key.job)
    ?.tasks.get(key.index)
    ?.leases.find((lease) => lease.client === client && lease.attempt === key.attempt);
}

/** The client is gone past its grace time: its running tasks count as attempts, the tasks in its queue do not. */
export function loseClient(state: State, client: Client): void {
  const { id } = client.info;
  let running = Math.max(1, client.slots);
  for (const lease of client.leases) {
    removeLease(state, lease, running > 0 ? "lost" : undefined);
    state.counts.lostLeases += 1;
    if (running > 0) loseAttempt(state, lease, "The client that computed it vanished and did not come back.");
    else requeue(state, lease.task);
    running -= 1;
  }
  forgetAllAdopted(state, id);
  forget(state, client);
}

export function changeCache(client: Client, added: readonly Sha256[], removed: readonly Sha256[]): void {
  for (const name of removed) client.cached.delete(name);
  addCached(client, added);
}

/** Ends a job: its leases are untied, and its clients cancelled. */
export function endJob(state: State, id: JobId): void {
  const job = state.jobs.get(id);
  if (!job) return ignore(state, "jobEnded", { job: id });
  const clients = new Set<ClientId>();
  for (const task of job.tasks.values())
    for (const lease of task.leases) {
      removeLease(state, lease, "cancelled");
      clients.add(lease.client);
    }
  for (const { client } of job.adopted.values()) clients.add(client);
  for (const window of job.windows.values()) forgetWindow(state, window);
  state.jobs.delete(id);
  state.unmet.delete(job);
  state.uncomputed.delete(job);
  rememberAttempts(state, job);
  for (const client of clients) state.out.push({ type: "sendCancel", client, job: id, indexes: undefined });
  if (![...state.jobs.values()].some((other) => other.info.customer === job.info.customer))
    state.served.delete(job.info.customer);
}

function rememberAttempts(state: State, { id, highestAttempt }: Job): void {
  state.endedAttempts.delete(id);
  state.endedAttempts.set(id, highestAttempt);
  const oldest = state.endedAttempts.keys().next().value;
  if (state.endedAttempts.size > endedJobs && oldest) state.endedAttempts.delete(oldest);
}

function joinCohort({ cohorts }: State, { trusted, cohort: name }: SchedulerClientInfo): void {
  if (trusted) return;
  const cohort = cohorts.get(name);
  if (cohort) cohort.members += 1;
  else cohorts.set(name, { members: 1, newcomersHold: 0 });
}

function leaveCohort({ cohorts }: State, { credit, info: { cohort: name } }: Client): void {
  const cohort = credit && cohorts.get(name);
  if (cohort && (cohort.members -= 1) === 0) cohorts.delete(name);
}

/** Removes a client that is gone and has no leases any more. */
export function forget(state: State, client: Client): void {
  endSession(state, client.info.id);
  state.clients.delete(client.info.id);
  state.hungry.delete(client);
  state.newlyHungry.delete(client);
  leaveCohort(state, client);
}

function giveBack(state: State, lease: Lease): void {
  removeLease(state, lease, "returned");
  requeue(state, lease.task);
}

export function forgetAllAdopted(state: State, id: ClientId): void {
  for (const job of state.jobs.values())
    for (const [index, { client }] of job.adopted) if (client === id) job.adopted.delete(index);
}

function addCached(client: Client, names: readonly Sha256[]): void {
  if (names.length > 0 && client.cached === nothingCached) client.cached = new Set();
  for (const name of names) client.cached.add(name);
  for (const oldest of client.cached) {
    if (client.cached.size <= cachedNames) break;
    client.cached.delete(oldest);
  }
}
