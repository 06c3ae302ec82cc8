import type { BlobName } from "../shared/data-reference.ts";
import type { ClientId, JobId, Sha256, TaskIndex } from "../shared/ids.ts";
import type { GivenOptions } from "../shared/wire/rest/job-options.ts";
import type { Capacity } from "../shared/wire/rest/capacity.ts";
import type { BanInfo, ClientInfo } from "../shared/wire/rest/clients.ts";
import type { FailureGroups, TaskFailure } from "../shared/wire/rest/failures.ts";
import type { JobInfo, JobProgress } from "../shared/wire/rest/jobs.ts";
import type { ServerStatus, Snapshot } from "../shared/wire/rest/status.ts";
import type { Submitted } from "../shared/wire/rest/submission.ts";
import type { TaskInfo } from "../shared/wire/rest/tasks.ts";
import type { OwnQuotas, UsageInfo } from "../shared/wire/rest/usage.ts";
import type { Compare, Verify } from "../shared/wire/rest/verification.ts";
import type { Attempts } from "../shared/wire/attempts.ts";
import type { History } from "../shared/wire/history.ts";
import type { Why } from "../shared/wire/why.ts";
import type { JobQuery } from "./dispatch/job-reader.ts";
import type { PageSize } from "./page-size.ts";
import type { ClientUpload } from "./dispatch/client-uploads.ts";
import type { ProvisionalFollower } from "./dispatch/provisional-followers.ts";
import type { PrecacheRequest, StandingPrecache } from "./precache-request.ts";
import type {
  ActionRow,
  AttachmentRow,
  BlobOwner,
  JobCost,
  NewAction,
  NewAttachment,
  NewTask,
  ProvisionalResult,
  ResultRow,
} from "./store/store.ts";

export type { ProvisionalChange, ProvisionalFollower } from "./dispatch/provisional-followers.ts";

/**
 * The use cases of customers and admins behind the REST interface. HTTP knows this and nothing of scheduler or
 * sockets. Every verb may reject with PlatformError; access rights are checked by the caller, except that `customer`
 * narrows the visible jobs.
 */
export interface Platform {
  /** @throws PlatformError UNKNOWN_KERNEL, CONFLICT (same key, other kernel), NOT_FOUND (a job it is to come after) */
  createJob(
    options: GivenOptions & { customer: string; kernel: Sha256 },
  ): Promise<{ job: JobInfo; created: boolean }>;
  /**
   * Adds tasks; resolves when they are on disk. Inputs that name a blob need that blob to exist.
   * @throws PlatformError CONFLICT, WRONG_STATE, NOT_FOUND, UNKNOWN_BLOB, BAD_REQUEST
   */
  submit(id: JobId, tasks: readonly NewTask[]): Promise<Submitted>;
  closeJob(id: JobId): Promise<JobInfo>;
  /** @throws PlatformError NOT_FOUND */
  job(id: JobId): Promise<JobInfo>;
  /** A page of jobs, newest first, and the cursor of the next page; of all customers without `customer`. */
  jobs(query: JobQuery): Promise<{ jobs: JobInfo[]; next?: string }>;
  cancel(id: JobId): Promise<JobInfo>;
  /** Cancels the jobs of a group that have not ended; of all customers without `customer`. */
  cancelGroup(filter: { customer?: string; group: string }): Promise<JobInfo[]>;
  pause(id: JobId): Promise<JobInfo>;
  resume(id: JobId): Promise<JobInfo>;
  setPriority(id: JobId, priority: number): Promise<JobInfo>;
  /** Changes how results of strangers are verified. @throws PlatformError NOT_FOUND, WRONG_STATE */
  setVerify(id: JobId, options: { verify: Verify; compare: Compare }): Promise<JobInfo>;
  /** @param among - the failures whose tasks are tried again; all by default */
  requeueFailed(
    id: JobId,
    among?: (failure: TaskFailure) => boolean,
  ): Promise<{ requeued: number; job: JobInfo }>;
  /** Cancels the running tasks, then forgets the job with its results. */
  deleteJob(id: JobId): Promise<void>;

  /** A page of outcomes after `after`, at least one outcome; empty when there is none yet. */
  results(id: JobId, after: number, page: PageSize): Promise<ResultRow[]>;
  /** Notes a reply that sends results of a job, until the returned function is called: a job that is read is not deleted for its age. */
  reads(id: JobId): () => void;
  /** A page of provisional results with `index > after`, lowest index first. */
  provisionalResults(id: JobId, after: number, page: PageSize): Promise<ProvisionalResult[]>;
  /** Gathers the changes of provisional results from now on, for a reader that closes the follower in the end. */
  followProvisional(id: JobId): ProvisionalFollower;
  /**
   * Resolves when the follower has changes, the job has ended, `signal` is aborted, or `atMostMs` have passed.
   * @throws PlatformError NOT_FOUND
   */
  provisionalChanged(
    id: JobId,
    follower: ProvisionalFollower,
    signal: AbortSignal,
    atMostMs: number,
  ): Promise<void>;
  /**
   * Resolves when there is an outcome after `after`, the job has ended, `signal` is aborted, or `atMostMs` have
   * passed. Cheap: holds no results.
   */
  resultsChanged(id: JobId, after: number, signal: AbortSignal, atMostMs: number): Promise<void>;
  /** The progress of a job; cheap enough to be asked often. @throws PlatformError NOT_FOUND */
  progress(id: JobId): Promise<JobProgress>;
  /** Resolves when {@link progress} may have changed, or `signal` is aborted. */
  moved(id: JobId, signal: AbortSignal): Promise<void>;
  /**
   * The newest log lines of a job's kernels, oldest first, at most 1,000; kept in memory.
   *
   * @param of - of several servers: all, or this one; all by default
   * @returns the lines, and the names of servers that did not answer
   */
  logs(
    id: JobId,
    of?: "all" | "own",
  ): Promise<{
    lines: readonly { at: number; index: number; client: string; line: string }[];
    silent: readonly string[];
  }>;

  /** @throws PlatformError NOT_FOUND */
  task(id: JobId, index: TaskIndex): Promise<TaskInfo>;
  /** The failed tasks of a job by what failed. @throws PlatformError NOT_FOUND */
  failureGroups(id: JobId): Promise<FailureGroups>;
  /** What clients spent on a job. @throws PlatformError NOT_FOUND */
  cost(id: JobId): Promise<JobCost>;

  /** Keeps bytes with a job. @throws PlatformError NOT_FOUND, QUOTA_EXCEEDED */
  attach(id: JobId, attachment: NewAttachment): Promise<AttachmentRow>;
  attachments(id: JobId): Promise<AttachmentRow[]>;
  attachment(id: JobId, name: string): Promise<(AttachmentRow & { content: Uint8Array }) | undefined>;
  /** False when the job has no such attachment. */
  detach(id: JobId, name: string): Promise<boolean>;

  /** Notes an action of an administrator on disk. @returns the number of the entry */
  recordAction(action: NewAction): Promise<number>;
  amendAction(number: number, more: { readonly detail?: string; readonly refusal?: string }): Promise<void>;
  /** Actions of administrators with a number below `before`, newest first. */
  actions(limit: number, before?: number): Promise<ActionRow[]>;

  /**
   * Asks clients to cache data, until the precache is ended.
   * @param of - of several servers: the clients of all, or of this one
   * @throws PlatformError TOO_MANY
   */
  precache(request: PrecacheRequest, of: "all" | "own"): StandingPrecache;

  /** Gives a customer a kernel. @throws PlatformError TOO_LARGE, QUOTA_EXCEEDED */
  putKernel(source: Uint8Array, customer: string): Promise<BlobName & { created: boolean }>;
  /** With `customer`: undefined when that customer does not have the kernel. */
  kernel(sha256: Sha256, customer?: string): Promise<Uint8Array | undefined>;
  kernels(customer?: string): Promise<BlobName[]>;
  /** Takes a kernel from the customer (without `customer`: from all); false when it had none. @throws PlatformError WRONG_STATE */
  deleteKernel(sha256: Sha256, customer?: string): Promise<boolean>;
  /** Takes a blob from the owner (without `owner`: from all); false when it had none. @throws PlatformError WRONG_STATE */
  disownBlob(sha256: Sha256, owner?: BlobOwner): Promise<boolean>;

  /** Usage and quota of a customer; without `customer` of every customer. */
  usage(customer?: string): Promise<UsageInfo[]>;
  /** Gives a customer bounds of its own; none: those of the server. @throws PlatformError TOO_MANY */
  setQuotas(customer: string, own: OwnQuotas): Promise<void>;

  /**
   * Connected clients first, newest first.
   *
   * @param of - of several servers: all, or this one; all by default
   * @returns the clients, and the names of servers that did not answer
   */
  clients(of?: "all" | "own"): Promise<{ clients: ClientInfo[]; silent: readonly string[] }>;
  /** Closes the client's connection; the client may come back. @throws PlatformError NOT_FOUND */
  disconnectClient(id: string): void;
  /**
   * Asks a client to finish what it runs and to begin anew in the server's version.
   * @throws PlatformError NOT_FOUND, WRONG_STATE (gone, or its version cannot)
   */
  reloadClient(id: string): void;
  /** Lets a client finish what it holds and gives it no more, or takes that back. @throws PlatformError NOT_FOUND */
  drainClient(id: string, drained: boolean): void;
  /** Disconnects a client and refuses it from now on. @throws PlatformError NOT_FOUND */
  banClient(id: string, reason: string): Promise<void>;
  /** Oldest first. */
  bans(): Promise<BanInfo[]>;
  unbanClient(id: string): Promise<boolean>;
  /** The connected client that a blob ticket belongs to. */
  clientOfTicket(ticket: string): { id: ClientId; trusted: boolean } | undefined;
  /** Whether a client may read a blob or kernel (SPEC.md [READ-2]). */
  clientMayRead(client: ClientId, sha256: Sha256): boolean | Promise<boolean>;
  /**
   * Counts the upload of a client, within the bound of its tasks (SPEC.md [QUOTA-4]).
   * @returns a function that undoes the count, for a failed upload
   * @throws PlatformError FORBIDDEN, QUOTA_EXCEEDED, BAD_REQUEST
   */
  beginUpload(client: ClientId, upload: ClientUpload): Promise<() => void>;

  /** The expected throughput of the connected clients, of all servers by default. */
  capacity(of?: "all" | "own"): Capacity;
  /** @param of - of several servers: all, or this one's clients, leases and rate; all by default */
  status(of?: "all" | "own"): Promise<ServerStatus>;
  snapshot(): Promise<Snapshot>;

  /**
   * Attempts of clients of this server that ended since the `after`-th of a life of the server, and those that run.
   * @param life - undefined, or another than the present one: from the oldest attempt on
   */
  attempts(life: string | undefined, after: number): Attempts;

  /** Figures of each minute of the last 24 hours, of all servers. */
  history(): Promise<History>;

  /** Why no task is computed (SPEC.md [WHY-1]), at all servers by default. */
  why(of?: "all" | "own"): Promise<Why>;
  /** @throws PlatformError NOT_FOUND */
  whyJob(id: JobId, of?: "all" | "own"): Promise<Why>;
  /** @throws PlatformError NOT_FOUND for a client that is not, and was not lately, connected */
  whyClient(id: string, of?: "all" | "own"): Promise<Why>;
}
