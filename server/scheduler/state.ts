import type { BlobName } from "../../shared/data-reference.ts";
import type { ClientId, JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { Payload } from "../../shared/wire/protocol.ts";
import type { CheckpointAuthor, ClaimedTask, Standing, WindowName } from "../store/store.ts";
import type { Cohort, Credit } from "./credit.ts";
import { Doubt } from "./doubt.ts";
import type { IgnoredEvent, Instruction, Opinion, SchedulerClientInfo, SchedulerJob } from "./events.ts";
import { TaskQueue } from "./task-queue.ts";
import { UsualTime } from "./usual-time.ts";
import { Voices } from "./voices.ts";

/** A client's time-limited hold on a task. */
export interface Lease {
  readonly task: Task;
  readonly client: ClientId;
  readonly attempt: number;
  readonly leasedAt: number;
  /** Time at which the lease lapses although its client lives. */
  readonly expiresAt: number;
  progress: number;
  /** Number of rounds of the client's slots before the task's turn. */
  readonly rounds: number;
  /** Measures for credit and silence, when a stranger holds the lease. */
  readonly stranger: StrangersLease | undefined;
  /** The stranger from whose checkpoint the attempt goes on. */
  continues: ClientId | undefined;
}

/** End of an attempt without a result. `returned`: its client left, or handed the task back. */
export type Unfinished = "lost" | "cancelled" | "returned";

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

/** A provisional result that is computed again, or looked at by the kernel module's own functions. */
export interface Audit {
  readonly window: Window;
  /** `run`: the task is computed. `inspect` and `compare`: a function of the kernel module is called. */
  phase: "inspect" | "run" | "compare";
  /** The first argument of `compare`, or the second of `inspect`. */
  output: Payload | undefined;
  /** The first computation, which differed from the provisional result. */
  first: Run | undefined;
  /** The computation that is being compared. */
  latest: Run | undefined;
  against: "provisional" | "first";
  /** Attempts that were lost, or failed for reasons that say nothing about the result. */
  attempts: number;
  /** Number of calls of the kernel module's functions so far. */
  calls: number;
}

/** A computation of an audit; without output when the kernel failed. */
export interface Run {
  readonly client: ClientId;
  readonly cohort: string;
  readonly trusted: boolean;
  readonly output: Payload | undefined;
  readonly refs: readonly BlobName[];
}

/** The provisional results of one stranger for one job that are judged together (SPEC.md [VERIFY-3]). */
export interface Window extends WindowName {
  readonly job: Job;
  readonly openedAt: number;
  /** Results in order of delivery. */
  results: TaskIndex[];
  /** Number of results that are on their way to disk. */
  unkept: number;
  /**
   * `open`: takes results. `closed`: takes no more, and waits for results on their way to disk. `judging`: audits are under way. `clean`: all audits agreed.
   * `accepting`: its results are becoming outcomes.
   */
  place: "open" | "closed" | "judging" | "clean" | "accepting";
  /** Every result is audited, because a client of the cohort was found wrong. */
  isFull: boolean;
  /** Results whose audit or inspection has no verdict yet. */
  readonly pending: Set<TaskIndex>;
  /** Results that were chosen to be computed again. */
  readonly chosen: Set<TaskIndex>;
  /** Results with which audits agreed. */
  readonly agreed: Set<TaskIndex>;
  /** Authors of checkpoints from which other clients' results went on. */
  continued: Map<TaskIndex, ClientId> | undefined;
  checked: number;
  /** Number of results that nobody could audit. */
  unverified: number;
}

/** The past and pending work of a stranger, which outlives its connection. */
export interface Reputation {
  /** Number of accepted windows that were large enough to speak for their client. */
  clean: number;
  readonly windows: Set<Window>;
}

/** Evidence for and against a cohort, from audits of its results. */
export interface CohortEvidence {
  /** Number of audits that agreed since one did not. */
  readonly agreed: number;
  /** A client of the cohort was found wrong, and too few audits have agreed since then. */
  readonly burnt: boolean;
}

/** Results of a window whose audits, or inspections, are to be read from the store. */
export interface AuditRequest {
  readonly window: Window;
  indexes: readonly TaskIndex[];
  readonly inspect: boolean;
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
  /** Audits to be read when `audits` has room, in order. */
  readonly unread: Set<AuditRequest>;
  /** Number of audits that are being read. */
  reading: number;
  /** Estimated bytes of an audit: its input, and the output to be inspected. Falls slowly, as `inputBytes`. */
  auditBytes: number;
  /** Tasks that wait for opinions of further cohorts. */
  readonly seconds: TaskQueue<Task>;
  /** Tasks whose opinions do not make a quorum although there are enough. */
  readonly disputed: Set<Task>;
  /** Opinions on tasks of a job with a quorum. */
  readonly opinions: Map<TaskIndex, Opinion[]>;
  /** Time of the last hand-over of tasks with opinions from server to server. */
  readonly handedOver: Map<TaskIndex, number>;
  /** Windows of provisional results by number, and the open ones by client. */
  readonly windows: Map<number, Window>;
  readonly openWindows: Map<ClientId, Window>;
  doubt: Doubt;
  /** Clients that were banned for wrong results. */
  readonly banned: Set<ClientId>;
  /** Time at which a trusted client that may run the job was last seen. */
  trustedAt: number;
  /** Time of the last search for such a client. */
  trustedLookedAt: number;
  /** True when the last claim emptied the store. */
  exhausted: boolean;
  /** Whether nothing was left to hand out after the last message of results. */
  isDry: boolean;
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
  /** Time at which the connection broke; undefined while connected. */
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
  /** Bytes of inline values that were given and not read yet; stays 0 where the connection does not count read bytes. */
  unreadBytes: number;
  /** Expected work of the held leases. */
  heldMs: number;
  /** Number of results that were taken from this client since it connected. */
  delivered: number;
  /** Number of tasks of each job at which a stranger failed and a trusted client did not. */
  faults: Map<JobId, number> | undefined;
  /** Number of jobs from which the client is barred. */
  barred: number;
  /** The administrator lets the client finish what it holds, and gives it no more. */
  drained: boolean;
}

/** Counted since the scheduler was made. */
export interface SchedulerCounts {
  leases: number;
  /** Results for tasks that had ended already. */
  droppedResults: number;
  /** Leases that lapsed, or whose client was gone past its grace time. */
  lostLeases: number;
  speculativeLeases: number;
  /** Data references of leased tasks, and those that their client had cached. */
  references: number;
  cached: number;
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
  /** Whether other servers claim tasks of the same jobs. */
  readonly shared?: boolean;
  /** Weight of a customer in the fair share; 1 by default. */
  readonly weightOf?: (customer: string) => number;
  /** A whole number below `end`, at random. */
  readonly randomInt?: (end: number) => number;
  /** Numbers of windows start here. */
  readonly firstWindow?: number;
  /** Reliability of clients and cohorts, as earlier servers stored it. */
  readonly standings?: readonly Standing[];
  /** Listener for attempts that end without a result; called before the lease is untied. */
  readonly onUnfinished?: ((lease: Lease, end: Unfinished) => void) | undefined;
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
  /** Jobs that no client of this server computes, until one that may becomes hungry: nothing of them is claimed from a shared store. */
  readonly uncomputed: Set<Job>;
  /** Customers whose quota of stored bytes is full: none of their tasks is claimed or leased. */
  readonly full: Set<string>;
  /** Number of the connected clients' slots, as of a moment ago. */
  slots: { readonly count: number; readonly countedAt: number };
  /** Time of the last search for tasks that run long. */
  speculatedAt: number;
  /** Jobs whose claims rest until the next second. */
  readonly resting: Set<JobId>;
  /** Blobs and kernels that are damaged on the server's disk: tasks that need them wait until they are put again. */
  readonly missing: Set<Sha256>;
  /** True when a task became available since tasks were last assigned. */
  supplyChanged: boolean;
  /** False once the server goes down. */
  leasing: boolean;
  /** Virtual time each customer has been served, in weighted ms (start-time fair queueing, Goyal et al. 1996). */
  readonly served: Map<string, number>;
  /** Reputations of strangers with provisional results or clean windows. */
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
    unread: new Set(),
    reading: 0,
    auditBytes: limits.inlineValueBytes,
    seconds: new TaskQueue(),
    disputed: new Set(),
    opinions: new Map(),
    handedOver: new Map(),
    windows: new Map(),
    openWindows: new Map(),
    doubt: new Doubt(),
    banned: new Set(),
    trustedAt: -Infinity,
    trustedLookedAt: -Infinity,
    exhausted: false,
    isDry: false,
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
    // The last attempt of a backup task may be on disk before its other lease has decided, and a server die in between.
    attempts: Math.min(attempts, job.info.maxAttempts - 1),
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
