import type { BlobName } from "../../shared/data-reference.ts";
import type { JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import type { Payload } from "../../shared/wire/protocol.ts";
import type { JobOptions, JobState, Role, TaskFailure } from "../../shared/wire/rest.ts";

/**
 * Where jobs, tasks, results, kernels, blob references and tokens live. A verb resolves only when its effect is on disk
 * (SPEC.md [DUR-1]); verbs issued in the same few milliseconds share one commit. Every verb may reject with PlatformError
 * STORE_FULL (disk full, read-only) or STORE_FAILED, and then has changed nothing.
 *
 * The store knows nothing of clients or leases. What ties a task to a server is a *claim*: while a claim lives, no other
 * server is given the task. Claims of a server that died lapse; an embedded store that only one process can open keeps
 * them in memory.
 */
export interface Store {
  /**
   * Makes a job, or returns the one that the same customer made with the same key.
   * @throws PlatformError CONFLICT when that one differs in kernel or options (name and priority aside), NOT_FOUND when it comes `after` a job that is not here
   */
  createJob(job: NewJob): Promise<{ job: JobRow; created: boolean }>;
  getJob(id: JobId): Promise<JobRow | undefined>;
  /** Newest first, at most `limit` of them. */
  listJobs(filter?: JobFilter, limit?: number): Promise<JobRow[]>;
  /** The same in pages; `cursor` is the `next` of the page before. Jobs that are made or deleted meanwhile shift nothing. */
  pageOfJobs(filter: JobFilter, limit: number, cursor?: string): Promise<JobPage>;
  jobTotals(): Promise<JobTotals>;
  /**
   * Calls back, once the change is on disk, with every job that some other job's end released (it waits for nothing any more) or
   * blocked. A job waits in the store itself, so nothing is lost when nobody listens.
   */
  onDependents(listener: (row: JobRow) => void): void;
  /**
   * Adds tasks; a task whose index is there with the same input is counted as repeated.
   * A job that is no longer open still takes repeats, so that a customer that starts again need not know how far it got.
   * @throws PlatformError CONFLICT (same index, other input; names it), WRONG_STATE (job not open), NOT_FOUND,
   * UNKNOWN_BLOB (an input refers to a blob that is not recorded), BAD_REQUEST (which has another size). Nothing is added then.
   */
  submit(id: JobId, tasks: readonly NewTask[]): Promise<{ added: number; repeated: number; total: number }>;
  /** No more tasks. A job whose tasks have all ended becomes finished. Idempotent. */
  closeJob(id: JobId): Promise<JobRow>;
  /**
   * Ends the job: every task without an outcome counts as cancelled (or failed, when quarantined). Idempotent on an ended job; a
   * blocked one is cancelled, so that it does not go on by itself.
   */
  endJob(id: JobId, as: "cancelled" | "quarantined", reason?: TaskFailure): Promise<JobRow>;
  setPaused(id: JobId, paused: boolean): Promise<JobRow>;
  setPriority(id: JobId, priority: number): Promise<JobRow>;
  /**
   * Removes failed outcomes (and reopens a quarantined or blocked job as open or closed as it was): those tasks are open again with 0
   * attempts. A blocked job waits again for what has not finished, and what it blocked waits for it. Returns how many.
   * @throws PlatformError WRONG_STATE when the job was cancelled, or a job it comes after still stands in its way
   */
  requeueFailed(id: JobId): Promise<{ requeued: number; job: JobRow }>;
  /** Forgets a job with its tasks, results, checkpoints and references. */
  deleteJob(id: JobId): Promise<void>;

  /**
   * Takes up to `limit` open, unclaimed tasks of the job, lowest index first, and claims them for this server.
   * An empty answer means that every open task is claimed already, or that the job waits for another.
   */
  claim(id: JobId, limit: number): Promise<ClaimedTask[]>;
  /** Gives claims back without an outcome; the tasks can be claimed again. */
  unclaim(id: JobId, indexes: readonly TaskIndex[]): Promise<void>;
  /**
   * Records ends of tasks, each at most once ever: an outcome for a task that already has one is dropped and reported so.
   * Releases the claims. The job becomes finished when it is closed and every task has an outcome.
   */
  complete(
    id: JobId,
    outcomes: readonly NewOutcome[],
  ): Promise<{ accepted: TaskIndex[]; dropped: TaskIndex[]; job: JobRow }>;
  /** Counts failed or lost attempts that do not end the task, so that a restart does not forget them. */
  recordAttempts(id: JobId, attempts: readonly { index: TaskIndex; attempts: number }[]): Promise<void>;
  /** Keeps the newest checkpoint of an open task; removed with its outcome. */
  checkpoint(id: JobId, index: TaskIndex, state: Uint8Array): Promise<void>;

  /** Outcomes with `seq > after`, in order of seq, at most `limit` items and about `maxBytes` bytes (at least one item). */
  results(id: JobId, after: number, limit: number, maxBytes: number): Promise<ResultRow[]>;
  /** The lowest-seq failures. */
  failures(id: JobId, limit: number): Promise<TaskFailure[]>;

  putKernel(sha256: Sha256, source: Uint8Array): Promise<void>;
  getKernel(sha256: Sha256): Promise<Uint8Array | undefined>;
  listKernels(): Promise<BlobName[]>;

  /** Records that a blob is on disk, or was used again. */
  touchBlob(name: BlobName): Promise<void>;
  getBlob(sha256: Sha256): Promise<BlobName | undefined>;
  /** Total of the recorded blobs. */
  blobUsage(): Promise<{ count: number; bytes: number }>;
  /** Blobs that no job refers to and that were last touched before `before` (ms since the epoch), oldest first. */
  unreferencedBlobs(before: number, limit: number): Promise<BlobName[]>;
  /** Forgets a blob if it is still unreferenced and (given `before`) was not touched since; false otherwise. */
  forgetBlob(sha256: Sha256, before?: number): Promise<boolean>;

  createToken(token: TokenRow): Promise<void>;
  findToken(hash: Sha256): Promise<TokenRow | undefined>;
  listTokens(): Promise<TokenRow[]>;
  revokeToken(id: string): Promise<boolean>;
  /** Bans are by client id or by address. */
  ban(subject: string, reason: string): Promise<void>;
  unban(subject: string): Promise<boolean>;
  listBans(): Promise<{ subject: string; reason: string; at: number }[]>;

  /** Commits something that changes nothing, to find out whether commits reach the disk. @throws PlatformError STORE_FULL, STORE_FAILED */
  check(): Promise<void>;

  /** Waits for what is under way to be on disk, then closes. Idempotent. */
  close(): Promise<void>;
}

export interface NewJob extends JobOptions {
  readonly id: JobId;
  /** Name of the token that submitted it; fair share is between customers. */
  readonly customer: string;
  readonly kernel: BlobName;
  readonly createdAt: number;
}

/** What jobs have in common that are listed; every part that is given has to hold. */
export interface JobFilter {
  readonly customer?: string;
  readonly group?: string;
  /** Whether they take outcomes still. */
  readonly active?: boolean;
  readonly states?: readonly JobState[];
  /** With a failed task, or ended for a failure. */
  readonly failing?: boolean;
  /** Words that each stand somewhere in name, customer or group, in any case, or begin the id. */
  readonly search?: string;
  readonly ids?: readonly JobId[];
}

export interface JobPage {
  readonly rows: JobRow[];
  /** Names the page behind this one; undefined on the last. */
  readonly next: string | undefined;
}

export interface JobTotals {
  readonly jobs: number;
  /** Of those, the ones that have not ended. */
  readonly active: number;
  /** Tasks without an outcome of active jobs. */
  readonly openTasks: number;
}

/** A job as it is stored. Tasks that have an outcome are counted; the others follow from `total`. */
export interface JobRow extends NewJob {
  readonly state: JobState;
  readonly paused: boolean;
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Sequence number of the newest outcome, 0 before the first. */
  readonly lastSeq: number;
  readonly endedAt: number | undefined;
  /** When it was made, last took a task (give or take an hour, when it had it already), or was requeued. */
  readonly submittedAt: number;
  /** Why a quarantined or blocked job ended. */
  readonly reason: TaskFailure | undefined;
  /** Of `after`, the jobs that have not finished yet. */
  readonly waitingFor: readonly JobId[];
}

export interface NewTask {
  readonly index: TaskIndex;
  readonly input: Payload;
  /** Blobs that the input refers to (a blob that holds the input itself included). */
  readonly refs: readonly BlobName[];
}

export interface ClaimedTask extends NewTask {
  /** Attempts that failed or were lost so far. */
  readonly attempts: number;
  readonly checkpoint: Uint8Array | undefined;
}

export type NewOutcome =
  | {
      readonly state: "done";
      readonly index: TaskIndex;
      readonly output: Payload;
      readonly refs: readonly BlobName[];
    }
  | { readonly state: "failed"; readonly index: TaskIndex; readonly failure: TaskFailure };

/** Sequence numbers of one job only grow; a requeued task gets a new one. */
export type ResultRow = NewOutcome & { readonly seq: number };

export interface TokenRow {
  readonly id: string;
  /** SHA-256 of the secret; the secret itself is nowhere. */
  readonly hash: Sha256;
  readonly role: Role;
  readonly name: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}
