import type { ClientId, JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { ClaimedTask } from "../store/store.ts";
import type { Instruction, Misfit, SchedulerClientInfo, SchedulerJob } from "./events.ts";
import { meets } from "./requirements.ts";
import { TaskQueue } from "./task-queue.ts";

/** A client's time-limited hold on a task. */
export interface Lease {
  readonly task: Task;
  readonly client: ClientId;
  readonly attempt: number;
  readonly leasedAt: number;
  /** When it lapses although its client lives. */
  readonly expiresAt: number;
  progress: number;
}

/** A claimed task: in its job's queue, leased (once, or twice when speculative), or settling (an end is on its way to disk). */
export interface Task {
  readonly job: Job;
  readonly index: TaskIndex;
  readonly claimed: ClaimedTask;
  place: "queued" | "leased" | "settling";
  /** Attempts that failed or were lost; what `maxAttempts` bounds. */
  attempts: number;
  /** Number of the newest lease; leases of one task never share a number. */
  lastAttempt: number;
  /** {@link noTaskLeases} for none; replaced, never added to. */
  leases: readonly Lease[];
  checkpoint: Uint8Array | undefined;
  /** Clients that had an attempt fail or get lost; another client is preferred. */
  triedBy: Set<ClientId> | undefined;
  /** Numbers of attempts that were counted as lost: what comes of them after all is not counted again. */
  lost: Set<number> | undefined;
  /** Of those that tried it, the ones that the task took down (crash, out of memory, vanished). */
  killed: Set<ClientId> | undefined;
}

/** Failures that speak against a job: which tasks and clients they came from. */
export interface Evidence {
  readonly tasks: Set<TaskIndex>;
  readonly clients: Set<ClientId>;
  /** When there were as many as it takes; whose word is still missing is waited for from then on. */
  completeAt: number | undefined;
}

export interface Job {
  readonly id: JobId;
  info: SchedulerJob;
  /** Every claimed task that has not ended. */
  readonly tasks: Map<TaskIndex, Task>;
  readonly queue: TaskQueue<Task>;
  /** The store had nothing more to claim when last asked. */
  exhausted: boolean;
  claiming: boolean;
  /** Every task below is claimed or has ended, so a held lease below it that is unknown here is of a task that ended. */
  claimedBelow: TaskIndex;
  /**
   * Ends on their way to disk of tasks that are not claimed here (late results), with how many each: a claim that brings
   * such a task must not hand it out.
   */
  readonly endingUnclaimed: Map<TaskIndex, number>;
  /** Leases a client brought back after a restart, of tasks not claimed yet. */
  readonly adopted: Map<TaskIndex, { client: ClientId; attempt: number }>;
  /** Smoothed run time in ms of one task; undefined before the first result. */
  meanMs: number | undefined;
  /** What an input takes in bytes, on the safe side: falls slowly, so that a window of small tasks is no licence for large ones. */
  inputBytes: number;
  everDone: boolean;
  /** Highest number a lease of this job ever had. */
  highestAttempt: number;
  /** Leases are numbered from above this: a task that is requeued must not repeat a number that a client remembers. */
  attemptBase: number;
  /** Distinct clients taken down since the job last finished a task. */
  readonly killed: Set<ClientId>;
  /** Failures of a job that has done nothing yet, by what they have in common. */
  readonly alike: Map<string, Evidence>;
  /** Where the kernel did not load. */
  refused: Evidence | undefined;
}

export interface Client {
  info: SchedulerClientInfo;
  /** When the connection broke; undefined while connected. */
  vanishedAt: number | undefined;
  /** How many leases it is willing to hold. */
  wanted: number;
  slots: number;
  /** Oldest first: a client works in the order it was given. {@link noLeases} until it has one. */
  leases: Set<Lease>;
  /** {@link nothingCached} until there is something. */
  cached: Set<Sha256>;
  refsLeased: number;
  refsCached: number;
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
  readonly speculate: boolean;
  /**
   * No task is leased before this time: after a restart the clients that still compute are given the moment they need to
   * come back and say so, instead of their tasks being computed twice.
   */
  readonly holdUntil?: number;
  /**
   * Until this time a client is believed when it says that it holds a lease: after a restart the server does not know
   * better. Later only for tasks that this server once leased to it.
   */
  readonly believeUntil?: number;
  /** Share of a customer; 1 for all unless told. */
  readonly weightOf?: (customer: string) => number;
  /** Hears of every event that does not fit the state. */
  readonly misfit?: ((misfit: Misfit) => void) | undefined;
}

export interface State {
  readonly config: SchedulerConfig;
  readonly jobs: Map<JobId, Job>;
  readonly clients: Map<ClientId, Client>;
  /** Highest lease number of jobs that ended lately, for when they are requeued. */
  readonly endedAttempts: Map<JobId, number>;
  /** Clients that would take more leases; kept up to date, so that an event costs nothing for the many that are content. */
  readonly hungry: Set<Client>;
  /** Of those, the ones whose credit grew since tasks were last assigned. */
  readonly newlyHungry: Set<Client>;
  /**
   * Jobs that no hungry client may run, as far as that was found out: with thousands of idle clients each task of another job
   * would else be followed by asking all of them about these. A client that becomes hungry takes out those that it may run.
   */
  readonly unmet: Set<Job>;
  /** Whether a task became available since then. */
  supplyChanged: boolean;
  /** False once the server goes down. */
  leasing: boolean;
  /** Virtual time each customer has been served, in weighted ms (start-time fair queueing, Goyal et al. 1996). */
  readonly served: Map<string, number>;
  readonly counts: SchedulerCounts;
  now: number;
  /** Instructions of the event being handled. */
  out: Instruction[];
}

/** One for all clients without a cache, never added to: an empty set takes 260 bytes, and most clients have nothing. */
export const nothingCached: Set<Sha256> = new Set();

/** The same for clients that never had a task, as thousands of idle ones: 180 bytes each. */
export const noLeases: Set<Lease> = new Set();

/**
 * One for all tasks that nobody has: a task is nearly always leased once, and an array that grows makes room for 17 (141 bytes
 * a task). The server allocated 3,490 bytes a tiny task; without what this and its like (see `leaseTask`, `take` of claims,
 * `packedResults`) left behind it is 2,660, and 6.3 µs of processor time instead of 7.0.
 */
export const noTaskLeases: readonly Lease[] = [];

export function newJob(info: SchedulerJob, attemptBase: number): Job {
  return {
    id: info.descriptor.id,
    info,
    tasks: new Map(),
    queue: new TaskQueue(),
    exhausted: false,
    claiming: false,
    claimedBelow: 0,
    endingUnclaimed: new Map(),
    adopted: new Map(),
    meanMs: undefined,
    inputBytes: limits.inlineValueBytes,
    everDone: info.everDone,
    highestAttempt: attemptBase,
    attemptBase,
    killed: new Set(),
    alike: new Map(),
    refused: undefined,
  };
}

/** Ties a task to a client. The caller has taken the task out of the queue. */
export function addLease(state: State, task: Task, client: Client, attempt: number): Lease {
  const { timeoutMs } = task.job.info.descriptor;
  // A client works its queue in order and ends a kernel at timeoutMs itself; the lease only has to outlive that. Sixty
  // seconds of slack for frames, clocks and start-up.
  const ahead = Math.floor(client.leases.size / Math.max(1, client.slots));
  const lease: Lease = {
    task,
    client: client.info.id,
    attempt,
    leasedAt: state.now,
    expiresAt: state.now + timeoutMs * (ahead + 1) + 60_000,
    progress: 0,
  };
  task.place = "leased";
  task.lastAttempt = Math.max(task.lastAttempt, attempt);
  task.job.highestAttempt = Math.max(task.job.highestAttempt, attempt);
  task.leases = task.leases.length === 0 ? [lease] : [...task.leases, lease];
  if (client.leases === noLeases) client.leases = new Set();
  client.leases.add(lease);
  // One that would take more still is where it was.
  if (spareCredit(client) <= 0) noteCredit(state, client);
  return lease;
}

/** Unties a lease from both sides. What becomes of the task is the caller's to say. */
export function removeLease(state: State, lease: Lease): void {
  const { task } = lease;
  const isOnly = task.leases.length === 1 && task.leases[0] === lease;
  task.leases = isOnly ? noTaskLeases : task.leases.filter((other) => other !== lease);
  const client = state.clients.get(lease.client);
  if (!client) return;
  client.leases.delete(lease);
  noteCredit(state, client);
}

/** Leases the client would still take. */
export function spareCredit(client: Client): number {
  return client.vanishedAt === undefined ? client.wanted - client.leases.size : 0;
}

/** To be called after anything that changes what a client would take. */
export function noteCredit(state: State, client: Client): void {
  if (spareCredit(client) > 0) {
    if (state.newlyHungry.has(client)) return;
    if (!state.hungry.has(client)) {
      state.hungry.add(client);
      for (const job of state.unmet) if (meets(client.info, job.info.requires)) state.unmet.delete(job);
    }
    state.newlyHungry.add(client);
    return;
  }
  state.hungry.delete(client);
  state.newlyHungry.delete(client);
}

/** A lease brought back before its task was claimed is over before that, too. */
export function forgetAdopted(job: Job, client: ClientId, index: TaskIndex): boolean {
  return job.adopted.get(index)?.client === client && job.adopted.delete(index);
}

/** Whether clients are believed what they say they hold (see {@link SchedulerConfig.believeUntil}). */
export function believes(state: State): boolean {
  return state.now < (state.config.believeUntil ?? 0);
}

/** Puts a task back in its queue unless another lease still holds it. */
export function requeue(state: State, task: Task): void {
  if (task.leases.length > 0 || task.place === "settling") return;
  state.supplyChanged = true;
  task.place = "queued";
  task.job.queue.putBack(task);
}
