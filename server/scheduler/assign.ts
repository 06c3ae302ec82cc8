import type { LeasedTask } from "../../shared/wire/protocol.ts";
import { limits } from "../../shared/limits.ts";
import { callOf, chooseAudit, readAudits } from "./auditing.ts";
import {
  addLease,
  isBarred,
  isFull,
  isHandedOut,
  lacksData,
  leasesFor,
  noteCredit,
  spareCredit,
} from "./leases.ts";
import { chooseDisputed, chooseForOpinion } from "./quorum.ts";
import { suits } from "./requirements.ts";
import { removeTask } from "./settling.ts";
import type { Client, Job, State, Task } from "./state.ts";
import { pacedBytes } from "../../shared/wire/paced-bytes.ts";
import { isComputed } from "./uncomputed.ts";
import { hasHadItsSay, mayAskOther } from "./verdict.ts";
import { isTrustedExpected } from "./who-audits.ts";

/** Work in one batch of tasks, about: no customer waits long for its turn. */
const turnMs = 50;
/** Assumed cost of a job's task before the first result. */
const unknownTaskMs = 20;
/** Least charge for a task: assigning a task is work, too. */
const leastTaskMs = 0.05;
/** Tasks at the front of a queue among which the scheduler looks for one whose data the client has cached. */
const lookahead = 16;
/** The same while data is missing: tasks that wait for it hold up no others. */
const lookPastMissing = 4096;
/** Bytes of inputs that may wait in memory, of all jobs together; `leastWindowBytes` is the smallest share of a job. */
const windowBytes = 32 * 1024 * 1024;
const leastWindowBytes = 1024 * 1024;
const maxWindowTasks = 4096;
/** Work of the own clients that a server claims ahead of time. */
const aheadMs = 500;
const slotsCountedMs = 250;

/**
 * Gives queued tasks to clients that want them, until one of the two runs out. Order: priority, then fair share between
 * customers, then oldest job, then task index; among the next few tasks the one whose data the client has cached.
 */
export function assignTasks(state: State): void {
  // After an event without new tasks, only clients whose credit grew can find a task that they could not find before.
  const toAll = state.supplyChanged;
  let clients: Iterable<Client> = toAll ? state.hungry : [...state.newlyHungry];
  state.supplyChanged = false;
  state.newlyHungry.clear();
  for (let jobs = jobsToGive(state); jobs.length > 0; jobs = jobsToGive(state)) {
    const served = goRound(state, clients, jobs);
    if (toAll) noteUnmet(state, jobs);
    if (!served) return;
    clients = [...clients].filter((client) => state.hungry.has(client));
  }
}

function jobsToGive(state: State): Job[] {
  let anyTrusted: boolean | undefined;
  return [...state.jobs.values()].filter((job) => {
    if (job.info.paused || !hasWork(state, job) || state.unmet.has(job)) return false;
    if (hasTasks(state, job)) return true;
    // Audits alone are no work for thousands of idle strangers.
    anyTrusted ??= [...state.hungry].some(({ info }) => info.trusted);
    return anyTrusted || !isTrustedExpected(state, job);
  });
}

/** Gives each client a turn, until the queues are empty; true when any client was given a task. */
function goRound(state: State, clients: Iterable<Client>, jobs: readonly Job[]): boolean {
  let served = false;
  for (const client of clients) {
    if (!giveTurn(state, client, jobs)) continue;
    served = true;
    // With empty queues the remaining clients need no look: one task for 5,000 idle clients.
    if (jobs.every((job) => !hasWork(state, job))) break;
  }
  return served;
}

/** Sets jobs aside that no hungry client may run, until a client becomes hungry that may: see `noteCredit`. */
function noteUnmet(state: State, jobs: readonly Job[]): void {
  const anyMayRun = (job: Job): boolean => {
    for (const client of state.hungry) if (mayRun(client, job)) return true;
    return false;
  };
  for (const job of jobs) if (hasWork(state, job) && !anyMayRun(job)) state.unmet.add(job);
}

/** Asks the store for waiting audits, and for more tasks of the jobs whose window runs low while clients are there. */
export function refillWindows(state: State): void {
  const bytes = Math.max(leastWindowBytes, windowBytes / Math.max(1, state.jobs.size));
  let demand: Demand | undefined;
  for (const job of state.jobs.values()) {
    if (job.unread.size > 0) readAudits(state, job, windowOf(bytes, job.auditBytes));
    if (state.clients.size === 0 || job.claiming || job.exhausted || !isHandedOut(state, job)) continue;
    let window = windowOf(bytes, job.inputBytes);
    if (state.config.shared === true) window = Math.min(window, shareOf((demand ??= demandOf(state)), job));
    if (window < 1 || job.queue.size + job.seconds.size > window / 2) continue;
    if (state.config.shared === true && !isComputed(state, job)) continue;
    job.claiming = true;
    state.out.push({ type: "claimTasks", job: job.id, limit: window });
  }
}

/**
 * Gives tasks back that the clients of this server will not take soon, because they left or are busy: those of other servers may be idle.
 * To be called about once a second.
 */
export function giveExcessBack(state: State): void {
  if (state.config.shared !== true) return;
  const demand = demandOf(state);
  for (const job of state.jobs.values()) {
    // Twice as many as are claimed ahead: tasks do not go back and forth.
    const most = 2 * shareOf(demand, job);
    if (job.queue.size <= most) continue;
    const indexes = job.queue
      .peek(job.queue.size)
      .slice(most)
      .map(({ index }) => index);
    for (const index of indexes) removeTask(state, job, index);
    job.exhausted = false;
    state.out.push({ type: "unclaimTasks", job: job.id, indexes });
  }
}

/** Slots of the connected clients, and how many of them are idle. */
interface Demand {
  readonly idle: number;
  readonly slots: number;
}

function demandOf(state: State): Demand {
  let idle = 0;
  for (const client of state.hungry)
    idle += Math.max(0, Math.min(spareCredit(client), client.slots - client.leases.size));
  return { idle, slots: slotsOf(state) };
}

/** Slots of the connected clients, counted a few times a second. */
function slotsOf(state: State): number {
  if (state.now - state.slots.countedAt > slotsCountedMs) {
    let count = 0;
    for (const client of state.clients.values()) if (client.vanishedAt === undefined) count += client.slots;
    state.slots = { count, countedAt: state.now };
  }
  return state.slots.count;
}

/** Number of tasks of a job that may wait here, because clients of other servers may be idle. */
function shareOf({ idle, slots }: Demand, { meanMs = Infinity }: Job): number {
  return idle + Math.floor((slots * aheadMs) / Math.max(meanMs, leastTaskMs));
}

/** Number of tasks of about `taskBytes` that may wait in memory. */
function windowOf(bytes: number, taskBytes: number): number {
  return Math.min(maxWindowTasks, Math.max(16, Math.floor(bytes / taskBytes)));
}

/**
 * Gives a client a turn: tasks of one job, about {@link turnMs} of work; of the next job when the first has no task
 * for this client.
 */
function giveTurn(state: State, client: Client, jobs: readonly Job[]): boolean {
  const candidates = jobs.filter((job) => hasWork(state, job) && mayHaveTasks(state, client, job));
  while (candidates.length > 0) {
    const job = candidates.reduce((best, other) => (comesBefore(state, other, best) ? other : best));
    if (giveTasks(state, client, job)) return true;
    candidates.splice(candidates.indexOf(job), 1);
  }
  return false;
}

function giveTasks(state: State, client: Client, job: Job): boolean {
  const taskMs = job.meanMs ?? unknownTaskMs;
  // Near the end of a job the last tasks are spread, so that no client queues tasks while another is idle; a client's
  // slots are still filled in one turn.
  const share = job.exhausted ? Math.ceil(job.queue.size / Math.max(1, state.hungry.size)) : Infinity;
  const turn = Math.max(1, Math.floor((turnMs * Math.max(1, client.slots)) / Math.max(taskMs, leastTaskMs)));
  const count = Math.min(
    leasesFor(state, client, job),
    turn,
    Math.max(share, client.slots - client.leases.size, 1),
  );
  const tasks: LeasedTask[] = [];
  while (tasks.length < count && !isFull(client)) {
    const task = chooseTask(state, client, job);
    if (!task) break;
    tasks.push(leaseTask(state, client, task));
  }
  if (tasks.length === 0) return false;
  const weight = state.config.weightOf?.(job.info.customer) ?? 1;
  charge(state, job.info.customer, (Math.max(taskMs, leastTaskMs) * tasks.length) / weight);
  state.out.push({ type: "sendLease", client: client.info.id, job: job.info.descriptor, tasks });
  return true;
}

/**
 * Leases a task that the caller took out of its queue.
 * @returns the task as its client is told
 */
export function leaseTask(state: State, client: Client, task: Task): LeasedTask {
  const lease = addLease(state, task, client, nextAttempt(task));
  state.counts.leases += 1;
  const { index, audit } = task;
  const { input, refs } = task.claimed;
  const checkpoint = mayContinue(client, task) ? task.checkpoint : undefined;
  if (checkpoint) lease.continues = task.checkpointBy?.client;
  if (client.info.paced) {
    client.unreadBytes += pacedBytes(input, checkpoint);
    if (isFull(client)) noteCredit(state, client);
  }
  // The common case, written out: the spreads below would leave garbage for each task.
  if (refs.length === 0 && !checkpoint && !audit) return { index, attempt: lease.attempt, input };
  for (const { sha256 } of refs) {
    client.refsLeased += 1;
    state.counts.references += 1;
    if (!client.cached.has(sha256)) continue;
    client.refsCached += 1;
    state.counts.cached += 1;
  }
  return {
    index,
    attempt: lease.attempt,
    input,
    ...(refs.length > 0 && { refs: [...refs] }),
    ...(checkpoint && { resume: checkpoint }),
    ...(audit && callOf(audit)),
  };
}

function nextAttempt({ audit, lastAttempt }: Task): number {
  return audit && audit.phase !== "run" ? limits.firstCallAttempt + audit.calls++ : lastAttempt + 1;
}

/** Whether the client goes on from the task's checkpoint: that of a stranger is continued by its own cohort only (SPEC.md [VERIFY-9]). */
function mayContinue({ info }: Client, { checkpointBy, job, audit }: Task): boolean {
  if (audit) return false;
  return (
    checkpointBy === undefined ||
    job.info.verify === "off" ||
    (!info.trusted && checkpointBy.cohort === info.cohort)
  );
}

function comesBefore(state: State, a: Job, b: Job): boolean {
  if (a.info.priority !== b.info.priority) return a.info.priority > b.info.priority;
  const servedA = state.served.get(a.info.customer) ?? 0;
  const servedB = state.served.get(b.info.customer) ?? 0;
  if (a.info.customer !== b.info.customer && servedA !== servedB) return servedA < servedB;
  if (a.info.createdAt !== b.info.createdAt) return a.info.createdAt < b.info.createdAt;
  return a.id < b.id;
}

/** Whether the job has tasks or audits for another client. */
function hasWork(state: State, job: Job): boolean {
  return job.audits.size > 0 || hasTasks(state, job);
}

/** A full quota stops tasks, and not the audits, which may withdraw wrong results of strangers that fill the quota. */
function hasTasks(state: State, job: Job): boolean {
  if (job.queue.size === 0 && job.overdue.size === 0 && job.seconds.size === 0) return false;
  return isHandedOut(state, job);
}

/** Whether a client meets the requirements of a job. */
export function mayRun(client: Client, job: Job): boolean {
  return suits(client.info, job.info);
}

function mayHaveTasks(state: State, client: Client, job: Job): boolean {
  return mayRun(client, job) && !isBarred(client, job) && !hasHadItsSay(state, client, job);
}

function chooseTask(state: State, client: Client, job: Job): Task | undefined {
  if (job.audits.size > 0) {
    const audited = chooseAudit(state, client, job);
    if (audited) return audited;
  }
  if (!isHandedOut(state, job)) return undefined;
  if (client.info.auditor && !job.info.irreproducible) return chooseSuspect(job) ?? chooseDisputed(job);
  if (job.seconds.size > 0) {
    const task = chooseForOpinion(client, job);
    if (task) return task;
  }
  if (job.overdue.size > 0) {
    const overdue = chooseOverdue(state, client, job);
    if (overdue) return overdue;
  }
  const next = job.queue.first();
  if (!next) return undefined;
  if (next.claimed.refs.length === 0 && !next.triedBy) {
    job.queue.shift();
    return next;
  }
  let best: Task | undefined;
  let bestBytes = -1;
  for (const task of job.queue.peek(state.missing.size > 0 ? lookPastMissing : lookahead)) {
    if (lacksData(state, task)) continue;
    if (anotherShouldTry(state, client, task)) continue;
    // A job without results learns more from a task that was not tried yet.
    if (!job.everDone && task.triedBy && best) continue;
    let bytes = 0;
    for (const { sha256, size } of task.claimed.refs) if (client.cached.has(sha256)) bytes += size;
    if (bytes > bestBytes || (!job.everDone && best?.triedBy)) [best, bestBytes] = [task, bytes];
  }
  if (best) job.queue.take(best);
  return best;
}

/** An overdue task whose strangers are of other cohorts than the client. */
function chooseOverdue(state: State, client: Client, job: Job): Task | undefined {
  let looked = 0;
  for (const task of job.overdue) {
    if (++looked > lookahead) return undefined;
    const isOwn = task.leases.some(
      ({ client: holder }) => state.clients.get(holder)?.info.cohort === client.info.cohort,
    );
    if (!isOwn && !task.triedBy?.has(client.info.id) && !lacksData(state, task)) return task;
  }
  return undefined;
}

function chooseSuspect(job: Job): Task | undefined {
  const [suspect] = job.suspects;
  if (suspect) job.queue.take(suspect);
  return suspect;
}

/**
 * Whether a task that failed on this client, or in its cohort, should wait for a hungry client that has not tried the task, and that does
 * not wait for others itself. After two reported failures the task waits for any voice outside the cohort that is there, hungry or not.
 */
function anotherShouldTry(state: State, client: Client, task: Task): boolean {
  const { triedBy, failures, job } = task;
  if (!triedBy || !failures) return false;
  const hasTried = triedBy.has(client.info.id);
  const isOfTriedCohort = ({ info }: Client): boolean => !info.trusted && failures.voices.has(info);
  const isOfCohort = isOfTriedCohort(client);
  if (!hasTried && !isOfCohort) return false;
  const cohortsWait = failures.reports >= 2 && mayAskOther(state, job, failures.voices);
  if (isOfCohort && cohortsWait) return true;
  for (const other of state.hungry) {
    // The auditor takes no task that another trusted client tried.
    if (other.info.auditor && !job.suspects.has(task)) continue;
    if (other === client || triedBy.has(other.info.id) || !mayHaveTasks(state, other, job)) continue;
    // The task waits for no client that waits itself: for another opinion, or as one of two of a cohort that have not tried the task.
    if (!isOfTriedCohort(other) || (hasTried && !cohortsWait)) return true;
  }
  return false;
}

function charge(state: State, customer: string, cost: number): void {
  state.served.set(customer, (state.served.get(customer) ?? 0) + cost);
}

/**
 * A customer that comes (back) starts level with the least served of the active customers: idle time earns no
 * credit. To be called before its first task is added.
 */
export function enterFairShare(state: State, customer: string): void {
  let least = Infinity;
  for (const job of state.jobs.values()) {
    if (job.tasks.size === 0) continue;
    if (job.info.customer === customer) return;
    least = Math.min(least, state.served.get(job.info.customer) ?? 0);
  }
  const own = state.served.get(customer) ?? 0;
  state.served.set(customer, least === Infinity ? own : Math.max(own, least));
}
