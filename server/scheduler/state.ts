import type { ClientId, JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { CheckpointAuthor, ClaimedTask, Standing } from "../store/store.ts";
import type { Audit } from "./auditing.ts";
import type { Instruction, IgnoredEvent, SchedulerClientInfo, SchedulerJob } from "./events.ts";
import { isNewcomer, roomFor, unknownWorkMs, type Cohort, type Credit } from "./credit.ts";
import type { Opinion } from "./quorum.ts";
import { suits } from "./requirements.ts";
import { TaskQueue } from "./task-queue.ts";
import { UsualTime } from "./usual-time.ts";
import { Voices } from "./voices.ts";
import type { CohortEvidence, Reputation, Window } from "./windows.ts";

/** A client's time-limited hold on a task. */
export interface Lease {
  readonly task: Task;
  readonly client: ClientId;
  readonly attempt: number;
  readonly leasedAt: number;
  /** When the lease lapses although its client lives. */
  readonly expiresAt: number;
  progress: number;
  /** Number of rounds of the client's slots before the task's turn. */
  readonly rounds: number;
  /** Measures for credit and silence, when a stranger holds the lease. */
  readonly stranger: StrangersLease | undefined;
  /** The stranger from whose checkpoint the attempt goes on. */
  continues: ClientId | undefined;
}

/** Measures of a stranger's lease for credit and silence. */
export interface StrangersLease {
  /** Expected work of the task at the time of the lease. */
  readonly workMs: number;
  /** The cohort whose `newcomersHold` counts the lease; undefined for a stranger that is no newcomer. */
  readonly cohort: Cohort | undefined;
  /** Time of the lease, or of the kernel's last growing progress. */
  movedAt: number;
}

/** A claimed task: queued, leased (once, or twice when speculative), or settling (its outcome is on its way to disk). */
export interface Task {
  readonly job: Job;
  readonly index: TaskIndex;
  readonly claimed: ClaimedTask;
  place: "queued" | "leased" | "settling";
  /** Number of attempts that failed or were lost, those of strangers once a cohort; bounded by `maxAttempts`. */
  attempts: number;
  /** Number of the newest lease; leases of one task never share a number. */
  lastAttempt: number;
  /** Replaced, never added to; {@link noTaskLeases} while empty. */
  leases: readonly Lease[];
  checkpoint: Uint8Array | undefined;
  /** The stranger that sent the checkpoint; undefined for a trusted client. */
  checkpointBy: CheckpointAuthor | undefined;
  /** Set for a provisional result that is audited; the task has left the usual queue. */
  audit: Audit | undefined;
  /** Provisional results of a task whose job asks for a quorum. */
  opinions: readonly Opinion[] | undefined;
  /** Clients on which an attempt failed or was lost; other clients are preferred. */
  triedBy: Set<ClientId> | undefined;
  /** Numbers of attempts that were counted as lost: a later failure of such an attempt is not counted again. */
  lost: Set<number> | undefined;
  failures: TaskFailures | undefined;
  /** Factor of the tolerated silence, which doubles with each silence, so that a long task can finish in the end. */
  patience: number;
}

/** Reported failures of a task. */
export interface TaskFailures {
  /** Number of reports since the task was claimed; several of one cohort count each. */
  reports: number;
  /** Whether a trusted client reported a failure. */
  isConfirmed: boolean;
  /** Voices of failed and lost attempts. */
  readonly voices: Voices;
  /** Voices whose sandbox died of the task. */
  readonly killed: Voices;
  /** Strangers that reported a failure. When a trusted client computes the task, each of them has a fault. */
  readonly accused: Set<ClientId>;
}

/** Failures that speak against a job: their tasks and voices. */
export interface Evidence {
  readonly tasks: Set<TaskIndex>;
  readonly voices: Voices;
  /** Time at which the evidence had enough tasks, from which on the verdict waits for other voices. */
  completeAt: number | undefined;
}

export interface Job {
  readonly id: JobId;
  info: SchedulerJob;
  /** Every claimed task that has not ended. */
  readonly tasks: Map<TaskIndex, Task>;
  readonly queue: TaskQueue<Task>;
  /** Queued tasks at which strangers failed and no trusted client did. */
  readonly suspects: Set<Task>;
  /** Leased tasks whose strangers are silent for too long, to be leased to another cohort as well. */
  readonly overdue: Set<Task>;
  /** Provisional results that wait for an audit. */
  readonly audits: TaskQueue<Task>;
  /** Tasks that wait for opinions of further cohorts. */
  readonly seconds: TaskQueue<Task>;
  /** Tasks whose opinions do not make a quorum although there are enough. */
  readonly disputed: Set<Task>;
  /** Opinions on tasks of a job with a quorum. */
  readonly opinions: Map<TaskIndex, Opinion[]>;
  /** Windows of provisional results by number, and the open ones by client. */
  readonly windows: Map<number, Window>;
  readonly openWindows: Map<ClientId, Window>;
  /** Cohorts in which an audit found a wrong result, and clients that were banned for it. */
  readonly wrongCohorts: Set<string>;
  readonly banned: Set<ClientId>;
  /** When a trusted client that may run the job was last seen. */
  trustedAt: number;
  /** When such a client was last looked for. */
  trustedLookedAt: number;
  /** True when the last claim emptied the store. */
  exhausted: boolean;
  claiming: boolean;
  /** Every task below this index is claimed or has ended: a held lease of an unknown task below it is over. */
  claimedBelow: TaskIndex;
  /**
   * Outcomes on their way to disk of unclaimed tasks (late results), counted for each: a claim that brings such a
   * task must not lease it.
   */
  readonly endingUnclaimed: Map<TaskIndex, number>;
  /** Leases that clients brought back after a restart, of tasks that are not claimed yet. */
  readonly adopted: Map<TaskIndex, { client: ClientId; attempt: number }>;
  /** Usual run time in ms of one task; undefined before the first result. */
  meanMs: number | undefined;
  /** The run times behind `meanMs`. */
  readonly usual: UsualTime;
  /** Estimated bytes of an input. Falls slowly, so that small inputs do not open the window for large ones at once. */
  inputBytes: number;
  everDone: boolean;
  /** Highest number a lease of this job ever had. */
  highestAttempt: number;
  /** Leases of requeued tasks are numbered from above this, so that no number repeats that a client may remember. */
  attemptBase: number;
  /** Voices taken down since the job last finished a task. */
  readonly killed: Voices;
  /** Failures of a job without results, by their likeness. */
  readonly alike: Map<string, Evidence>;
  /** Evidence that the kernel does not load. */
  refused: Evidence | undefined;
}

export interface Client {
  info: SchedulerClientInfo;
  /** When the connection broke; undefined while connected. */
  vanishedAt: number | undefined;
  /** Most leases that the client asks to hold. */
  wanted: number;
  slots: number;
  /** Oldest first, which is the client's order of work. {@link noLeases} until the first one. */
  leases: Set<Lease>;
  /** {@link nothingCached} until the first name. */
  cached: Set<Sha256>;
  refsLeased: number;
  refsCached: number;
  /** Bound on the leases of a stranger; undefined for a trusted client, whose only bound is `wanted`. */
  credit: Credit | undefined;
  /** Expected work of the held leases. */
  heldMs: number;
  /** Number of results that were taken from this client since it connected. */
  delivered: number;
  /** Number of tasks of each job at which a stranger failed and a trusted client did not. */
  faults: Map<JobId, number> | undefined;
  /** Number of jobs from which the client is barred. */
  barred: number;
}

/** Counted since the scheduler was made. */
export interface SchedulerCounts {
  leases: number;
  /** Results for tasks that had ended already. */
  droppedResults: number;
  /** Leases that lapsed, or whose client was gone past its grace time. */
  lostLeases: number;
  speculativeLeases: number;
}

export interface SchedulerConfig {
  readonly graceMs: number;
  readonly quarantineAfter: number;
  /** Whether the server has an auditor, which tries tasks at which strangers failed. */
  readonly auditors: boolean;
  readonly speculate: boolean;
  /**
   * No task is leased before this time: after a restart, clients get the moment they need to come back with their
   * leases, and no task is computed twice.
   */
  readonly holdUntil?: number;
  /**
   * Until this time clients are believed to hold the leases that they claim: after a restart the server has no
   * record of them. Later, only for tasks that this server once leased to the client.
   */
  readonly believeUntil?: number;
  /** Weight of a customer in the fair share; 1 by default. */
  readonly weightOf?: (customer: string) => number;
  /** A whole number below `end`, at random. */
  readonly randomInt?: (end: number) => number;
  /** Numbers of windows start here. */
  readonly firstWindow?: number;
  /** What earlier servers learned of clients and cohorts. */
  readonly standings?: readonly Standing[];
  /** Listener for events that do not fit the state. */
  readonly onIgnored?: ((ignored: IgnoredEvent) => void) | undefined;
}

export interface State {
  readonly config: SchedulerConfig;
  readonly jobs: Map<JobId, Job>;
  readonly clients: Map<ClientId, Client>;
  /** Highest lease number of jobs that ended lately, for requeueing. */
  readonly endedAttempts: Map<JobId, number>;
  /** Clients that would take more leases; kept up to date, so that an event costs nothing for content clients. */
  readonly hungry: Set<Client>;
  /** Hungry clients whose credit grew since tasks were last assigned. */
  readonly newlyHungry: Set<Client>;
  /**
   * Jobs that no hungry client may run, as far as assignment found out: without this set, each task would have
   * thousands of idle clients asked about these jobs. A client that becomes hungry takes out the jobs that it may
   * run.
   */
  readonly unmet: Set<Job>;
  /** Customers whose quota of stored bytes is full: none of their tasks is claimed or leased. */
  readonly full: Set<string>;
  /** True when a task became available since tasks were last assigned. */
  supplyChanged: boolean;
  /** False once the server goes down. */
  leasing: boolean;
  /** Virtual time each customer has been served, in weighted ms (start-time fair queueing, Goyal et al. 1996). */
  readonly served: Map<string, number>;
  /** What is known of strangers with provisional results or clean windows. */
  readonly reputations: Map<ClientId, Reputation>;
  readonly evidence: Map<string, CohortEvidence>;
  readonly randomInt: (end: number) => number;
  nextWindow: number;
  /** Cohorts of the strangers in `clients`. */
  readonly cohorts: Map<string, Cohort>;
  readonly counts: SchedulerCounts;
  now: number;
  /** Instructions of the event being handled. */
  out: Instruction[];
}

/** Least work of a task, because leasing and reporting a task is work, too. */
const leastWorkMs = 0.05;
/** Number of faults after which a stranger may be barred from a job; fewer may be accidents of its machine. */
const faultsBarred = 3;

/** Shared by all clients without a cache, never added to: an empty set takes 260 bytes. */
export const nothingCached: Set<Sha256> = new Set();

/** Shared by all clients that never had a task, never added to: 180 bytes a client. */
export const noLeases: Set<Lease> = new Set();

/**
 * Shared by all tasks without a lease: an array that grows takes 141 bytes a task, and nearly every task is leased
 * once.
 */
export const noTaskLeases: readonly Lease[] = [];

export function newJob(info: SchedulerJob, attemptBase: number): Job {
  return {
    id: info.descriptor.id,
    info,
    tasks: new Map(),
    queue: new TaskQueue(),
    suspects: new Set(),
    overdue: new Set(),
    audits: new TaskQueue(),
    seconds: new TaskQueue(),
    disputed: new Set(),
    opinions: new Map(),
    windows: new Map(),
    openWindows: new Map(),
    wrongCohorts: new Set(),
    banned: new Set(),
    trustedAt: -Infinity,
    trustedLookedAt: -Infinity,
    exhausted: false,
    claiming: false,
    claimedBelow: 0,
    endingUnclaimed: new Map(),
    adopted: new Map(),
    meanMs: undefined,
    usual: new UsualTime(),
    inputBytes: limits.inlineValueBytes,
    everDone: info.everDone,
    highestAttempt: attemptBase,
    attemptBase,
    killed: new Voices(),
    alike: new Map(),
    refused: undefined,
  };
}

/** A claimed task, or one whose provisional result is audited. */
export function newTask(job: Job, claimed: ClaimedTask, audit?: Audit): Task {
  const { index, attempts, checkpoint, checkpointBy } = claimed;
  return {
    job,
    index,
    claimed,
    place: "queued",
    attempts,
    lastAttempt: Math.max(attempts, job.attemptBase),
    leases: noTaskLeases,
    checkpoint,
    checkpointBy,
    audit,
    opinions: audit ? undefined : job.opinions.get(index),
    triedBy: undefined,
    lost: undefined,
    failures: undefined,
    patience: 1,
  };
}

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
  // Other newcomers of the cohort may wait for this room.
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

/** Unties a lease from client and task. The caller decides the place of the task. */
export function removeLease(state: State, lease: Lease): void {
  const { task } = lease;
  const isOnly = task.leases.length === 1 && task.leases[0] === lease;
  task.leases = isOnly ? noTaskLeases : task.leases.filter((other) => other !== lease);
  const client = state.clients.get(lease.client);
  if (lease.stranger) returnCredit(state, client, lease.stranger);
  if (!client) return;
  client.leases.delete(lease);
  noteCredit(state, client);
}

/** Number of further leases that the client asks for; 0 when a stranger's credit is used up. */
export function spareCredit({ vanishedAt, wanted, leases, credit, heldMs }: Client): number {
  if (vanishedAt !== undefined) return 0;
  const asked = wanted - leases.size;
  return credit && asked > 0 && credit.tasks <= leases.size && credit.ms <= heldMs ? 0 : asked;
}

/** Whether a stranger is barred from the job, because it failed at several of its tasks at which others did not. */
export function isBarred({ faults, delivered }: Client, job: Job): boolean {
  const count = faults?.get(job.id) ?? 0;
  return count >= faultsBarred && count * 10 > delivered;
}

/** To be called after every change of what a client would take. */
export function noteCredit(state: State, client: Client): void {
  if (spareCredit(client) > 0) {
    if (state.newlyHungry.has(client)) return;
    if (!state.hungry.has(client)) {
      state.hungry.add(client);
      for (const job of state.unmet) if (suits(client.info, job.info)) state.unmet.delete(job);
    }
    state.newlyHungry.add(client);
    return;
  }
  state.hungry.delete(client);
  state.newlyHungry.delete(client);
}

/** Forgets a lease that was brought back before its task was claimed. False when the client had none. */
export function forgetAdopted(job: Job, client: ClientId, index: TaskIndex): boolean {
  return job.adopted.get(index)?.client === client && job.adopted.delete(index);
}

/** Whether tasks of a job are handed out at present: not while it is paused or its customer's quota is full. */
export function isHandedOut(state: State, job: Job): boolean {
  return !job.info.paused && !state.full.has(job.info.customer);
}

/** Whether clients are believed to hold the leases that they claim (see {@link SchedulerConfig.believeUntil}). */
export function believes(state: State): boolean {
  return state.now < (state.config.believeUntil ?? 0);
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

/** Takes a lease back without counting an attempt, and stops its task. */
export function cancelLease(state: State, lease: Lease): void {
  const { task, client } = lease;
  removeLease(state, lease);
  state.out.push({ type: "sendCancel", client, job: task.job.id, indexes: [task.index] });
}
