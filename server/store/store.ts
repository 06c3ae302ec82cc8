import type { BlobName } from "../../shared/data-reference.ts";
import type { ClientId, JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import type { Payload } from "../../shared/wire/protocol.ts";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { JobSort } from "../../shared/wire/rest/job-list.ts";
import type { JobOptions } from "../../shared/wire/rest/job-options.ts";
import type { JobState } from "../../shared/wire/rest/job-state.ts";
import type { Role } from "../../shared/wire/rest/tokens.ts";
import type { Compare, Statement, Verify } from "../../shared/wire/rest/verification.ts";
import type { OwnQuotas, Quotas, Usage } from "./quotas.ts";

/**
 * Storage of jobs, tasks, results, kernels, blob references and tokens. A verb resolves only when its effect is on disk
 * (SPEC.md [DUR-1]); verbs of the same few milliseconds share one commit. Every verb may reject with PlatformError STORE_FULL
 * (disk full, read-only) or STORE_FAILED, and then has changed nothing.
 *
 * The store does not know clients or leases. A *claim* ties a task to a server: while the claim lives, no other server gets the
 * task. Claims of a dead server lapse; an embedded store, which only one process can open, keeps them in memory.
 */
export interface Store {
  /**
   * Makes a job, or returns the job that the same customer made with the same key.
   * @throws PlatformError CONFLICT when that job differs in kernel or options (name and priority aside), NOT_FOUND when the job comes
   * `after` an unknown job or has an unknown source, UNKNOWN_KERNEL when the customer does not have the kernel, QUOTA_EXCEEDED
   */
  createJob(job: NewJob): Promise<{ job: JobRow; created: boolean }>;
  getJob(id: JobId): Promise<JobRow | undefined>;
  /** Newest first, at most `limit` jobs. */
  listJobs(filter?: JobFilter, limit?: number): Promise<JobRow[]>;
  /**
   * The same in pages, newest first unless sorted otherwise; `cursor` is the `next` of the page before. Jobs that are made or deleted
   * meanwhile shift no page.
   * @throws PlatformError BAD_REQUEST for the cursor of a list that is sorted otherwise
   */
  pageOfJobs(filter: JobFilter, limit: number, cursor?: string, sort?: JobSort): Promise<JobPage>;
  jobTotals(): Promise<JobTotals>;
  /**
   * Calls back, once the change is on disk, with every job that another job released (it no longer waits), blocked or opened
   * again. The waiting is in the store itself, so a job without a listener is not lost.
   */
  onDependents(listener: (row: JobRow) => void): void;
  /**
   * Calls back, once the change is on disk, with every job that outcomes of its source (`inputsFrom`) were passed on to, or that was closed
   * because there are no more. Jobs that a server's end left half-way are fed on from this call on.
   */
  onFed(listener: (row: JobRow) => void): void;
  /**
   * Adds tasks. A task counts as repeated when the job has its index with the same input. A job that is no longer open still
   * takes repeats, so that a restarted customer need not know how far it got.
   * @throws PlatformError CONFLICT (an index with another input, which the message names), WRONG_STATE (job not open, or fed by another), NOT_FOUND,
   * UNKNOWN_BLOB (an input refers to a blob that the job's customer does not have), BAD_REQUEST (an input refers to a blob as of
   * another size), QUOTA_EXCEEDED. Then no task is added.
   */
  submit(id: JobId, tasks: readonly NewTask[]): Promise<{ added: number; repeated: number; total: number }>;
  /**
   * Closes a job for further tasks. A job whose tasks have all ended becomes finished. Idempotent.
   * @throws PlatformError WRONG_STATE for a job that is fed by another
   */
  closeJob(id: JobId): Promise<JobRow>;
  /**
   * Ends the job: every task without an outcome counts as cancelled (or failed, when quarantined). Without effect on an ended
   * job; but a blocked job is cancelled, so that it does not go on by itself.
   */
  endJob(id: JobId, as: "cancelled" | "quarantined", reason?: TaskFailure): Promise<JobRow>;
  setPaused(id: JobId, paused: boolean): Promise<JobRow>;
  setPriority(id: JobId, priority: number): Promise<JobRow>;
  /**
   * Removes failed outcomes: their tasks are open again with 0 attempts. A quarantined or blocked job becomes open or closed,
   * as before. A blocked job waits again for unfinished jobs, and the jobs that it blocked wait for it. Returns the number of
   * requeued tasks. Jobs that are fed by this one take back the failures that followed from these; failures of a fed job that follow from those
   * of its source stay.
   * @throws PlatformError WRONG_STATE when the job was cancelled, a job it comes after or its source still blocks it, or all its failures are
   * those of its source
   * @param among - the failures that are requeued, of a job that did not end early; all by default
   */
  requeueFailed(
    id: JobId,
    among?: (failure: TaskFailure) => boolean,
  ): Promise<{ requeued: number; job: JobRow }>;
  /** Forgets a job with its tasks, results, checkpoints and references. Outputs for jobs that it feeds are passed on before, if their quota lets them. */
  deleteJob(id: JobId): Promise<void>;

  /**
   * Claims up to `limit` open, unclaimed tasks of the job for this server, lowest index first. An empty answer means that every
   * open task is claimed already, or that the job waits for another. A claim that rejects has claimed nothing.
   * @param among - indexes of the tasks that may be claimed; all by default
   */
  claim(id: JobId, limit: number, among?: readonly TaskIndex[]): Promise<ClaimedTask[]>;
  /** Gives claims back without an outcome, so that the tasks can be claimed again. */
  unclaim(id: JobId, indexes: readonly TaskIndex[]): Promise<void>;
  /**
   * Records ends of tasks and releases their claims. A task gets one outcome ever: a second outcome is dropped and reported as
   * such. The job becomes finished when it is closed and every task has an outcome.
   */
  complete(
    id: JobId,
    outcomes: readonly NewOutcome[],
  ): Promise<{ accepted: TaskIndex[]; dropped: TaskIndex[]; job: JobRow }>;
  /** Records the number of failed or lost attempts of open tasks, so that a restart does not forget them. */
  recordAttempts(id: JobId, attempts: readonly { index: TaskIndex; attempts: number }[]): Promise<void>;
  /** Keeps the newest checkpoint of an open task, and the stranger that sent it; the task's outcome removes it. */
  checkpoint(id: JobId, index: TaskIndex, state: Uint8Array, by?: CheckpointAuthor): Promise<void>;

  /**
   * Keeps outputs of a stranger that are not accepted yet, with the number of their window. Their tasks have no outcome and stay claimed, also after
   * a restart; in a job verified by a quorum the claim of such a task is kept and given back like any other. A task may have several
   * provisional results, one in each window: a repeated one counts as kept and changes nothing. Outputs of tasks that have an outcome, or of a
   * job that is over, are dropped.
   */
  keepProvisional(
    id: JobId,
    window: WindowName,
    outputs: readonly NewOutput[],
  ): Promise<{ kept: TaskIndex[]; dropped: TaskIndex[]; job: JobRow }>;
  /**
   * Makes provisional results of a window the outcomes of their tasks, as {@link complete} does, and forgets the other results of the window.
   * Results that are damaged on disk are forgotten.
   * @param checks - added to the statement of the job
   * @returns `reopened`: the tasks of forgotten results without an outcome and without another provisional result
   */
  acceptProvisional(
    id: JobId,
    window: number,
    indexes: readonly TaskIndex[],
    checks?: Partial<Checks>,
  ): Promise<{ accepted: TaskIndex[]; dropped: TaskIndex[]; reopened: TaskIndex[]; job: JobRow }>;
  /**
   * Forgets provisional results of a window (all without `indexes`); tasks without an outcome can be claimed again, without a checkpoint, unless
   * another window has a result of theirs, or the job is verified by a quorum and the claim is still held. Without effect on a window that is
   * not there.
   * @returns the tasks without an outcome and without another provisional result
   */
  withdrawProvisional(
    id: JobId,
    window: number,
    indexes?: readonly TaskIndex[],
    checks?: Partial<Checks>,
  ): Promise<{ reopened: TaskIndex[]; job: JobRow }>;
  /** An output of a window; undefined when the window has none of this task any more. */
  provisionalOutput(id: JobId, window: number, index: TaskIndex): Promise<NewOutput | undefined>;
  /** Provisional results of a job with `index > after`, lowest index first; about `maxBytes` bytes, at least one. */
  provisionalResults(
    id: JobId,
    after: TaskIndex,
    limit: number,
    maxBytes: number,
  ): Promise<ProvisionalResult[]>;
  /** Every window with results of tasks without an outcome, of every job, without outputs: for the start of a server. */
  listWindows(): Promise<ProvisionalWindow[]>;
  /** Submitted tasks with these indexes, claimed or not; without attempts and checkpoints. */
  readTasks(id: JobId, indexes: readonly TaskIndex[]): Promise<ClaimedTask[]>;
  /** Adds to the statement of a job. */
  noteChecks(id: JobId, checks: Partial<Checks>): Promise<JobRow>;
  /**
   * Changes how results of strangers are verified. A quorum gives back the claims of tasks with provisional results; any other way after a quorum
   * claims them.
   * @throws PlatformError WRONG_STATE when the job has ended
   */
  setVerify(id: JobId, options: { verify: Verify; compare: Compare }): Promise<JobRow>;

  /** Keeps the standing of a client or cohort, instead of an earlier one. */
  saveStanding(standing: Standing): Promise<void>;
  /** Forgets the standings that were last saved before `before` (ms since the epoch). */
  collectStandings(before: number): Promise<void>;
  listStandings(): Promise<Standing[]>;

  /** Keeps the figures of a minute of a server, and forgets those of all minutes before `oldest`. */
  addSample(sample: Sample, oldest: number): Promise<void>;
  /** Figures of minutes from `oldest` on, in order of time. */
  listSamples(oldest: number): Promise<Sample[]>;

  /** Outcomes with `seq > after`, in order of seq, at most `limit` items and about `maxBytes` bytes (at least one item). */
  results(id: JobId, after: number, limit: number, maxBytes: number): Promise<ResultRow[]>;
  /** The outcome of a task; undefined while it has none. */
  outcomeOf(id: JobId, index: TaskIndex): Promise<ResultRow | undefined>;
  /** The failures with the lowest sequence numbers. */
  failures(id: JobId, limit: number): Promise<TaskFailure[]>;
  /** The failures with the lowest sequence numbers after `after`, in order. */
  failuresAfter(id: JobId, after: number, limit: number): Promise<{ seq: number; failure: TaskFailure }[]>;

  /**
   * Keeps bytes with a job, in place of those of the same name. They count to the customer as outputs do, and are deleted with the job.
   * @throws PlatformError QUOTA_EXCEEDED, also when the job has as many attachments as a job may have
   */
  attach(id: JobId, attachment: NewAttachment): Promise<AttachmentRow>;
  /** In order of names, without contents. */
  attachments(id: JobId): Promise<AttachmentRow[]>;
  attachment(
    id: JobId,
    name: string,
  ): Promise<(AttachmentRow & { readonly content: Uint8Array }) | undefined>;
  /** False when the job has no such attachment. */
  detach(id: JobId, name: string): Promise<boolean>;

  /** Adds to the costs of jobs; jobs that are gone are skipped. */
  addCosts(costs: readonly (JobCost & { readonly job: JobId })[]): Promise<void>;
  /** What clients spent on a job, as far as it was added. */
  jobCost(id: JobId): Promise<JobCost>;

  /** Gives a customer a kernel; false when the customer had it. @throws PlatformError QUOTA_EXCEEDED */
  putKernel(sha256: Sha256, source: Uint8Array, customer: string): Promise<boolean>;
  /** With `customer`: undefined when that customer does not have the kernel. */
  getKernel(sha256: Sha256, customer?: string): Promise<Uint8Array | undefined>;
  /** Oldest first; with `customer` that customer's kernels only. */
  listKernels(customer?: string): Promise<BlobName[]>;
  /**
   * Takes a kernel from the customer (without `customer`: from all), and removes the kernel when no customer has it any more.
   * @returns false when the customer did not have the kernel
   * @throws PlatformError WRONG_STATE while one of the customer's jobs refers to the kernel
   */
  deleteKernel(sha256: Sha256, customer?: string): Promise<boolean>;
  /**
   * Removes some of the kernels that no job refers to and that were last posted or used before `before` (ms since the epoch).
   * @returns the number of removed kernels
   */
  collectKernels(before: number): Promise<number>;

  /** Records that a blob is on disk, or was used again, and its owner, who sent all of it. @throws PlatformError QUOTA_EXCEEDED */
  touchBlob(name: BlobName, owner?: BlobOwner): Promise<void>;
  /** With `owner`: undefined when that owner does not have the blob. */
  getBlob(sha256: Sha256, owner?: BlobOwner): Promise<BlobName | undefined>;
  /** Whether an input or output of the job is the blob, or refers to it. */
  jobHasBlob(id: JobId, sha256: Sha256): Promise<boolean>;
  /**
   * Compares some records with their checksums, for a few milliseconds; damaged ones are reported like any that are read.
   * @param after - `next` of the answer before; absent at the beginning
   * @returns the number of records; `next` is absent at the end
   */
  verifyRecords(after?: RecordCursor): Promise<{ records: number; next?: RecordCursor }>;
  /** Jobs that refer to a blob, or whose kernel it is; newest first, at most `limit`. */
  jobsOfBlob(sha256: Sha256, limit: number): Promise<JobId[]>;
  /**
   * Takes a blob from the owner (without `owner`: from all).
   * @returns false when the owner did not have the blob
   * @throws PlatformError WRONG_STATE while a job of such a customer refers to the blob
   */
  disownBlob(sha256: Sha256, owner?: BlobOwner): Promise<boolean>;
  /** Count and size of the recorded blobs. */
  blobUsage(): Promise<{ count: number; bytes: number }>;
  /** Blobs that no job refers to and that were last touched before `before` (ms since the epoch), oldest first. */
  unreferencedBlobs(before: number, limit: number): Promise<BlobName[]>;
  /**
   * Forgets a blob that is still unreferenced and, given `when`, was not touched since then or has no owner (`"unowned"`).
   * @returns false when the blob stays
   */
  forgetBlob(sha256: Sha256, when?: number | "unowned"): Promise<boolean>;

  /** Bounds of customers that have none of their own. */
  readonly quotas: Quotas;
  /** Gives a customer bounds of its own in place of these, from the next verb on; none: these again. @throws PlatformError TOO_MANY */
  setQuotas(customer: string, own: OwnQuotas): Promise<void>;
  /** Customers with bounds of their own. */
  listQuotas(): Promise<[customer: string, own: OwnQuotas][]>;
  /** The usage of a customer. */
  usage(customer: string): Promise<Usage>;
  /** The usage of every customer that keeps anything. */
  usages(): Promise<[customer: string, usage: Usage][]>;
  /** @throws PlatformError QUOTA_EXCEEDED when these bytes more would exceed the customer's quota */
  checkRoom(customer: string, bytes: number): Promise<void>;
  /** Calls back with every customer whose bytes are full, at once and whenever that changes for a customer. */
  onQuota(listener: (customer: string, full: boolean) => void): void;

  createToken(token: TokenRow): Promise<void>;
  findToken(hash: Sha256): Promise<TokenRow | undefined>;
  listTokens(): Promise<TokenRow[]>;
  /** Changes what a token allows. @returns the token; undefined when there is none */
  changeToken(id: string, change: TokenChange): Promise<TokenRow | undefined>;
  revokeToken(id: string): Promise<boolean>;
  /** Bans a client id or an address. */
  ban(subject: string, reason: string): Promise<void>;
  unban(subject: string): Promise<boolean>;
  listBans(): Promise<{ subject: string; reason: string; at: number }[]>;

  /** Notes an action of an administrator; the newest {@link recordLimits.auditEntries} are kept. @returns the number of the entry */
  recordAction(action: NewAction): Promise<number>;
  /** Adds what became known of an action. */
  amendAction(number: number, more: { readonly detail?: string; readonly refusal?: string }): Promise<void>;
  /** Actions with a number below `before`, newest first. */
  listActions(limit: number, before?: number): Promise<ActionRow[]>;

  /** Commits without a change, to find out whether commits reach the disk. @throws PlatformError STORE_FULL, STORE_FAILED */
  check(): Promise<void>;

  /** Closes the store after all pending verbs are on disk. Idempotent. */
  close(): Promise<void>;
}

/** Owner of a blob: a customer by name, or a client that uploaded the blob for a result. */
export type BlobOwner = { readonly customer: string } | { readonly client: ClientId };

export interface NewJob extends JobOptions {
  readonly id: JobId;
  /** Name of the token that submitted the job. Fair share is between customers. */
  readonly customer: string;
  readonly kernel: BlobName;
  /** Sandboxes of the job compute the same values on every client; decided once, from the kernel and `math`. */
  readonly portable: boolean;
  readonly createdAt: number;
}

/** Conditions on the jobs of a list; all given conditions must hold. */
export interface JobFilter {
  readonly customer?: string;
  readonly group?: string;
  /** Whether the jobs still take outcomes. */
  readonly active?: boolean;
  readonly states?: readonly JobState[];
  /** Jobs with a failed task, or that ended because of failures. */
  readonly failing?: boolean;
  /** Words, each of which must occur in name, customer or group, in any case, or begin the id. */
  readonly search?: string;
  readonly ids?: readonly JobId[];
}

export interface JobPage {
  readonly rows: JobRow[];
  /** Cursor of the next page; undefined on the last. */
  readonly next: string | undefined;
}

export interface JobTotals {
  readonly jobs: number;
  /** Number of jobs that have not ended. */
  readonly active: number;
  /** Tasks without an outcome of active jobs. */
  readonly openTasks: number;
  /** Open tasks with a provisional result. */
  readonly provisional: number;
}

/** A stored job. Tasks with an outcome are counted; the number of the others follows from `total`. */
export interface JobRow extends NewJob {
  readonly state: JobState;
  readonly paused: boolean;
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Sequence number of the newest outcome, 0 before the first. */
  readonly lastSeq: number;
  readonly endedAt: number | undefined;
  /** Time at which the job was made, last took a task (to the hour for repeats), or was requeued. */
  readonly submittedAt: number;
  /** Bytes of inputs outside blobs. */
  readonly inputBytes: number;
  /** Bytes of outputs outside blobs, of failures and of attachments. */
  readonly outputBytes: number;
  /** Reason of the end of a quarantined or blocked job. */
  readonly reason: TaskFailure | undefined;
  /** Number of tasks without an outcome that have a provisional result. */
  readonly provisional: number;
  readonly statement: Statement;
  /** Jobs of `after` that have not finished yet. */
  readonly waitingFor: readonly JobId[];
}

export interface NewTask {
  readonly index: TaskIndex;
  readonly input: Payload;
  /** Blobs that the input refers to, and the blob that holds the input, if any. */
  readonly refs: readonly BlobName[];
}

/** The stranger that sent a checkpoint. */
export interface CheckpointAuthor {
  readonly client: ClientId;
  readonly cohort: string;
}

export interface ClaimedTask extends NewTask {
  /** Attempts that failed or were lost so far. */
  readonly attempts: number;
  readonly checkpoint: Uint8Array | undefined;
  /** The stranger that sent the checkpoint; undefined for a trusted client. */
  readonly checkpointBy?: CheckpointAuthor | undefined;
  /** The stored input is damaged, and `input` is empty: the caller ends the task as failed. */
  readonly isDamaged?: true;
}

/** A task's output. */
export interface NewOutput {
  readonly index: TaskIndex;
  readonly output: Payload;
  readonly refs: readonly BlobName[];
}

/** Names the window of provisional results; its number is unique in the store. */
export interface WindowName {
  readonly number: number;
  readonly client: ClientId;
  readonly cohort: string;
}

export interface ProvisionalWindow extends WindowName {
  readonly job: JobId;
  /** Time of the first result, in ms since the epoch. */
  readonly at: number;
  /** In order of delivery. */
  readonly indexes: readonly TaskIndex[];
}

export interface ProvisionalResult extends NewOutput {
  readonly client: ClientId;
}

/** Numbers that are added to those of a job's statement; `irreproducible` replaces the statement's. */
export type Checks = Omit<Statement, "strangers">;

/** Figures of one minute of a server. */
export interface Sample {
  /** Minutes since the Unix epoch. */
  readonly minute: number;
  /** Name of the server among several. */
  readonly server: string;
  /** The figures as JSON: a later version may have others. */
  readonly figures: string;
}

/** Reliability of a subject: a client by its id, or a cohort by "cohort:" and its name. */
export interface Standing {
  readonly subject: string;
  /** Number of clean windows of a client, or of audits that agreed in a cohort since one did not. */
  readonly clean: number;
  /** Whether a client of the cohort was found wrong lately. */
  readonly burnt: boolean;
}

export type NewOutcome =
  | ({ readonly state: "done" } & NewOutput)
  | { readonly state: "failed"; readonly index: TaskIndex; readonly failure: TaskFailure };

/** A stored outcome. Sequence numbers of a job only grow; a requeued task gets a new one. */
export type ResultRow = NewOutcome & { readonly seq: number };

export interface NewAttachment {
  readonly name: string;
  /** A media type. */
  readonly type: string;
  readonly content: Uint8Array;
}

export interface AttachmentRow {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** ms since the epoch. */
  readonly at: number;
}

/** A run of a task on a client. */
export interface TaskTime {
  readonly index: TaskIndex;
  readonly elapsedMs: number;
  /** Name of the client. */
  readonly client: string;
}

/** What clients spent on a job, failed and repeated runs included. */
export interface JobCost {
  readonly computedMs: number;
  readonly attempts: number;
  /** The longest run first. */
  readonly slowest: readonly TaskTime[];
}

/** An action of an administrator. */
export interface NewAction {
  /** Name of the token. */
  readonly actor: string;
  /** Id of the token. */
  readonly token: string;
  /** The route, as METHOD /path/{parameter}. */
  readonly action: string;
  /** The route's parameter: a job, client, token, ban or group. */
  readonly subject: string;
}

export interface ActionRow extends NewAction {
  readonly number: number;
  readonly at: number;
  readonly detail: string;
  /** Code of the error with which the action was refused; undefined when it was done. */
  readonly refusal: string | undefined;
}

export interface TokenRow {
  readonly id: string;
  /** SHA-256 of the secret, which is not stored. */
  readonly hash: Sha256;
  readonly role: Role;
  readonly name: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly lastUsedAt: number | undefined;
  /** Most clients that are connected with the token at once; undefined: any number. */
  readonly maxClients?: number | undefined;
}

/** A changed bound of a token. */
export type TokenChange = Pick<TokenRow, "maxClients">;

/** Kinds of changes of a job: tasks that can be claimed, outcomes, its state or options, provisional results or the statement. */
export type ChangeKind = "tasks" | "outcomes" | "state" | "provisional";

/** Place in the walk over all records: a table, and the key of the last record. */
export interface RecordCursor {
  readonly table: number;
  readonly key: readonly number[];
}
