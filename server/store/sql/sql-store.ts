import { setTimeout as sleep } from "node:timers/promises";
import type { BlobName } from "../../../shared/data-reference.ts";
import type { JobId, Sha256, TaskIndex } from "../../../shared/ids.ts";
import type { TaskFailure } from "../../../shared/wire/rest/failures.ts";
import type { JobSort } from "../../../shared/wire/rest/job-list.ts";
import type { Compare, Verify } from "../../../shared/wire/rest/verification.ts";
import type { OwnQuotas } from "../quotas.ts";
import type {
  BlobOwner,
  CheckpointAuthor,
  Checks,
  ClaimedTask,
  JobCost,
  JobFilter,
  JobRow,
  NewAction,
  NewAttachment,
  NewJob,
  NewOutcome,
  NewOutput,
  NewTask,
  RecordCursor,
  ResultRow,
  Sample,
  Standing,
  Store,
  TokenChange,
  TokenRow,
  WindowName,
} from "../store.ts";
import type { Step } from "./database.ts";
import { Feeder } from "./feeder.ts";
import type { Transaction } from "./transaction.ts";
import { acceptProvisional } from "./verbs/accept-provisional.ts";
import * as attachments from "./verbs/attachments.ts";
import * as audit from "./verbs/audit.ts";
import * as bans from "./verbs/bans.ts";
import { disownBlob } from "./verbs/blob-owners.ts";
import * as blobs from "./verbs/blobs.ts";
import { checkpoint } from "./verbs/checkpoint.ts";
import { noteChecks, setVerify } from "./verbs/checks.ts";
import { claimAmong, claimStride } from "./verbs/claim.ts";
import { closeJob } from "./verbs/close-job.ts";
import { complete } from "./verbs/complete.ts";
import * as costs from "./verbs/costs.ts";
import { createJob } from "./verbs/create-job.ts";
import { forgetJob, forgottenJobs, sweepJob } from "./verbs/delete-job.ts";
import { endJob } from "./verbs/end-job.ts";
import { failuresAfter } from "./verbs/failures.ts";
import { findOutcome } from "./verbs/find-outcome.ts";
import { allFed } from "./verbs/fed-jobs.ts";
import { feedStride } from "./verbs/feed.ts";
import { getJob } from "./verbs/get-job.ts";
import { keepProvisional } from "./verbs/keep-provisional.ts";
import { jobsOfBlob } from "./verbs/jobs-of-blob.ts";
import * as kernels from "./verbs/kernels.ts";
import { jobTotals, listJobs, pageOfJobs } from "./verbs/list-jobs.ts";
import { listWindows, provisionalOutput, provisionalResults } from "./verbs/provisional-results.ts";
import { readTasks } from "./verbs/read-tasks.ts";
import * as quotas from "./verbs/quotas.ts";
import { recordAttempts } from "./verbs/record-attempts.ts";
import { newestFailure, requeueStride } from "./verbs/requeue-failed.ts";
import { results } from "./verbs/results.ts";
import { setPaused } from "./verbs/set-paused.ts";
import { setPriority } from "./verbs/set-priority.ts";
import * as samples from "./verbs/samples.ts";
import * as standings from "./verbs/standings.ts";
import { submit } from "./verbs/submit.ts";
import * as tokens from "./verbs/tokens.ts";
import { unclaim } from "./verbs/unclaim.ts";
import { verifyRecords } from "./verbs/verify-records.ts";
import { withdrawProvisional } from "./verbs/withdraw-provisional.ts";

/** Time between two strides of work that takes long. */
const strideGapMs = 5;

/** A verb, which works with the parts of a transaction. */
export type Verb<T> = (transaction: Transaction) => Step<T>;

function outcomeIndex(row: ResultRow): TaskIndex {
  return row.state === "failed" ? row.failure.index : row.index;
}

/** The verbs of a Store on a SQL database. An engine says how a verb is run. */
export abstract class SqlStore implements Store {
  /** The parts that write verbs work with. */
  protected abstract readonly parts: Transaction;
  protected readonly feeder = new Feeder((id) =>
    this.write((transaction) => feedStride(transaction, id), id),
  );

  /**
   * Queues a verb for the next commit.
   * @param job - of which the verb is
   * @param rows - that the verb writes, about
   */
  protected abstract write<T>(verb: Verb<T>, job?: JobId, rows?: number): Promise<T>;

  /** Runs a verb that only reads, on committed rows. */
  protected abstract read<T>(verb: Verb<T>): Promise<T>;

  /** Runs a verb that changes claims and nothing else. */
  protected abstract claiming<T>(verb: Verb<T>, job: JobId): Promise<T>;

  abstract check(): Promise<void>;
  abstract close(): Promise<void>;

  createJob(job: NewJob) {
    return this.write((transaction) => createJob(transaction, job));
  }

  getJob(id: JobId) {
    return this.read((transaction) => getJob(transaction, id));
  }

  listJobs(filter: JobFilter = {}, limit?: number) {
    return this.read((transaction) => listJobs(transaction, filter, limit));
  }

  pageOfJobs(filter: JobFilter, limit: number, cursor?: string, sort?: JobSort) {
    return this.read((transaction) => pageOfJobs(transaction, filter, limit, cursor, sort));
  }

  jobTotals() {
    return this.read((transaction) => jobTotals(transaction));
  }

  onDependents(listener: (row: JobRow) => void) {
    this.parts.dependents = listener;
  }

  onFed(listener: (row: JobRow) => void) {
    this.feeder.listener = listener;
    this.feedAll();
  }

  submit(id: JobId, tasks: readonly NewTask[]) {
    return this.write((transaction) => submit(transaction, id, tasks), id, tasks.length);
  }

  closeJob(id: JobId) {
    return this.write((transaction) => closeJob(transaction, id), id);
  }

  endJob(id: JobId, as: "cancelled" | "quarantined", reason?: TaskFailure) {
    return this.write((transaction) => endJob(transaction, id, as, reason), id);
  }

  setPaused(id: JobId, paused: boolean) {
    return this.write((transaction) => setPaused(transaction, id, paused), id);
  }

  setPriority(id: JobId, priority: number) {
    return this.write((transaction) => setPriority(transaction, id, priority), id);
  }

  async requeueFailed(id: JobId, among?: (failure: TaskFailure) => boolean) {
    const newest = await this.read((transaction) => newestFailure(transaction, id));
    const requeue = (after: number) =>
      this.write((transaction) => requeueStride(transaction, id, after, newest, among));
    let { requeued, next, job } = await requeue(0);
    while (next !== undefined) {
      const stride = await requeue(next);
      ({ next, job } = stride);
      requeued += stride.requeued;
    }
    if (job.inputsFrom !== undefined) this.feeder.wake(id);
    return { requeued, job };
  }

  async deleteJob(id: JobId) {
    const forget = (regardless: boolean) =>
      this.write((transaction) => forgetJob(transaction, id, regardless), id);
    let { number, feeds } = await forget(false);
    if (feeds.length > 0) {
      await this.feeder.finish(feeds);
      ({ number } = await forget(true));
    }
    if (number !== undefined) await this.sweep(number);
  }

  async claim(id: JobId, limit: number, among?: readonly TaskIndex[]) {
    if (among) return this.claiming((transaction) => claimAmong(transaction, id, limit, among), id);
    const tasks: ClaimedTask[] = [];
    try {
      for (;;) {
        const found = await this.claiming(
          (transaction) => claimStride(transaction, id, limit - tasks.length),
          id,
        );
        tasks.push(...found.tasks);
        if (!found.more || tasks.length >= limit) return tasks;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      // The caller gets none of these tasks.
      const indexes = tasks.map(({ index }) => index);
      if (indexes.length > 0) await this.unclaim(id, indexes).catch(() => {});
      throw error;
    }
  }

  unclaim(id: JobId, indexes: readonly TaskIndex[]) {
    return this.claiming((transaction) => unclaim(transaction, id, indexes), id);
  }

  complete(id: JobId, outcomes: readonly NewOutcome[]) {
    return this.write((transaction) => complete(transaction, id, outcomes), id, outcomes.length);
  }

  recordAttempts(id: JobId, attempts: readonly { index: TaskIndex; attempts: number }[]) {
    return this.write((transaction) => recordAttempts(transaction, id, attempts), id, attempts.length);
  }

  checkpoint(id: JobId, index: TaskIndex, state: Uint8Array, by?: CheckpointAuthor) {
    return this.write((transaction) => checkpoint(transaction, id, index, state, by), id);
  }

  keepProvisional(id: JobId, window: WindowName, outputs: readonly NewOutput[]) {
    return this.write((transaction) => keepProvisional(transaction, id, window, outputs), id, outputs.length);
  }

  acceptProvisional(id: JobId, window: number, indexes: readonly TaskIndex[], checks?: Partial<Checks>) {
    return this.write(
      (transaction) => acceptProvisional(transaction, id, window, indexes, checks),
      id,
      indexes.length,
    );
  }

  withdrawProvisional(id: JobId, window: number, indexes?: readonly TaskIndex[], checks?: Partial<Checks>) {
    return this.write((transaction) => withdrawProvisional(transaction, id, window, indexes, checks), id);
  }

  provisionalOutput(id: JobId, window: number, index: TaskIndex) {
    return this.read((transaction) => provisionalOutput(transaction, id, window, index));
  }

  provisionalResults(id: JobId, after: TaskIndex, limit: number, maxBytes: number) {
    return this.read((transaction) => provisionalResults(transaction, id, after, limit, maxBytes));
  }

  listWindows() {
    return this.read(listWindows);
  }

  readTasks(id: JobId, indexes: readonly TaskIndex[]) {
    return this.read((transaction) => readTasks(transaction, id, indexes));
  }

  noteChecks(id: JobId, checks: Partial<Checks>) {
    return this.write((transaction) => noteChecks(transaction, id, checks), id);
  }

  setVerify(id: JobId, options: { verify: Verify; compare: Compare }) {
    return this.write((transaction) => setVerify(transaction, id, options), id);
  }

  saveStanding(standing: Standing) {
    return this.write((transaction) => standings.saveStanding(transaction, standing));
  }

  collectStandings(before: number) {
    return this.write((transaction) => standings.collectStandings(transaction, before));
  }

  listStandings() {
    return this.read(standings.listStandings);
  }

  addSample(sample: Sample, oldest: number) {
    return this.write((transaction) => samples.addSample(transaction, sample, oldest));
  }

  listSamples(oldest: number) {
    return this.read((transaction) => samples.listSamples(transaction, oldest));
  }

  results(id: JobId, after: number, limit: number, maxBytes: number) {
    return this.read((transaction) => results(transaction, id, after, limit, maxBytes));
  }

  async outcomeOf(id: JobId, index: TaskIndex) {
    let from: number | undefined = 1;
    while (from !== undefined) {
      const start: number = from;
      const { seq, next } = await this.read((transaction) => findOutcome(transaction, id, index, start));
      if (seq !== undefined) {
        const [row] = await this.results(id, seq - 1, 1, Infinity);
        // The task may have been requeued between the two reads.
        return row && outcomeIndex(row) === index ? row : undefined;
      }
      from = next;
      if (next !== undefined) await new Promise((resolve) => setImmediate(resolve));
    }
    return undefined;
  }

  async failures(id: JobId, limit: number) {
    return (await this.failuresAfter(id, 0, limit)).map(({ failure }) => failure);
  }

  failuresAfter(id: JobId, after: number, limit: number) {
    return this.read((transaction) => failuresAfter(transaction, id, after, limit));
  }

  attach(id: JobId, attachment: NewAttachment) {
    return this.write((transaction) => attachments.attach(transaction, id, attachment), id);
  }

  attachments(id: JobId) {
    return this.read((transaction) => attachments.attachments(transaction, id));
  }

  attachment(id: JobId, name: string) {
    return this.read((transaction) => attachments.attachment(transaction, id, name));
  }

  detach(id: JobId, name: string) {
    return this.write((transaction) => attachments.detach(transaction, id, name), id);
  }

  addCosts(added: readonly (JobCost & { readonly job: JobId })[]) {
    return this.write((transaction) => costs.addCosts(transaction, added));
  }

  jobCost(id: JobId) {
    return this.read((transaction) => costs.jobCost(transaction, id));
  }

  putKernel(sha256: Sha256, source: Uint8Array, customer: string) {
    return this.write((transaction) => kernels.putKernel(transaction, sha256, source, customer));
  }

  getKernel(sha256: Sha256, customer?: string) {
    return this.read((transaction) => kernels.getKernel(transaction, sha256, customer));
  }

  listKernels(customer?: string) {
    return this.read((transaction) => kernels.listKernels(transaction, customer));
  }

  deleteKernel(sha256: Sha256, customer?: string) {
    return this.write((transaction) => kernels.deleteKernel(transaction, sha256, customer));
  }

  collectKernels(before: number) {
    return this.write((transaction) => kernels.collectKernels(transaction, before));
  }

  touchBlob(name: BlobName, owner?: BlobOwner) {
    return this.write((transaction) => blobs.touchBlob(transaction, name, owner));
  }

  getBlob(sha256: Sha256, owner?: BlobOwner) {
    return this.read((transaction) => blobs.getBlob(transaction, sha256, owner));
  }

  jobHasBlob(id: JobId, sha256: Sha256) {
    return this.read((transaction) => blobs.jobHasBlob(transaction, id, sha256));
  }

  jobsOfBlob(sha256: Sha256, limit: number) {
    return this.read((transaction) => jobsOfBlob(transaction, sha256, limit));
  }

  verifyRecords(after?: RecordCursor) {
    return this.read((transaction) => verifyRecords(transaction, after));
  }

  disownBlob(sha256: Sha256, owner?: BlobOwner) {
    return this.write((transaction) => disownBlob(transaction, sha256, owner));
  }

  blobUsage() {
    return this.read(blobs.blobUsage);
  }

  unreferencedBlobs(before: number, limit: number) {
    return this.read((transaction) => blobs.unreferencedBlobs(transaction, before, limit));
  }

  forgetBlob(sha256: Sha256, when?: number | "unowned") {
    return this.write((transaction) => blobs.forgetBlob(transaction, sha256, when));
  }

  get quotas() {
    return this.parts.usage.quotas;
  }

  setQuotas(customer: string, own: OwnQuotas) {
    return this.write((transaction) => quotas.setQuotas(transaction, customer, own));
  }

  listQuotas() {
    return this.read(({ db }) => quotas.readQuotas(db));
  }

  usage(customer: string) {
    return this.read(({ usage }) => usage.read(customer));
  }

  usages() {
    return this.read(({ usage }) => usage.readAll());
  }

  checkRoom(customer: string, bytes: number) {
    return this.read(({ usage }) => usage.mustFit(customer, { bytes }));
  }

  onQuota(listener: (customer: string, full: boolean) => void) {
    // Listeners may call the store, so they are not called inside the commit.
    this.parts.usage.listen((customer, full) => queueMicrotask(() => listener(customer, full)));
  }

  createToken(token: TokenRow) {
    return this.write((transaction) => tokens.createToken(transaction, token));
  }

  async findToken(hash: Sha256) {
    const token = await this.read((transaction) => tokens.findToken(transaction, hash));
    if (token && tokens.isNewUse(this.parts, token))
      // Recording the use may fail, because a full disk must not refuse sign-ins.
      this.write((transaction) => tokens.recordTokenUse(transaction, token.id)).catch(() => {});
    return token;
  }

  changeToken(id: string, change: TokenChange) {
    return this.write((transaction) => tokens.changeToken(transaction, id, change));
  }

  listTokens() {
    return this.read(tokens.listTokens);
  }

  revokeToken(id: string) {
    return this.write((transaction) => tokens.revokeToken(transaction, id));
  }

  ban(subject: string, reason: string) {
    return this.write((transaction) => bans.ban(transaction, subject, reason));
  }

  unban(subject: string) {
    return this.write((transaction) => bans.unban(transaction, subject));
  }

  listBans() {
    return this.read(bans.listBans);
  }

  recordAction(action: NewAction) {
    return this.write((transaction) => audit.recordAction(transaction, action));
  }

  amendAction(number: number, more: { readonly detail?: string; readonly refusal?: string }) {
    return this.write((transaction) => audit.amendAction(transaction, number, more));
  }

  listActions(limit: number, before?: number) {
    return this.read((transaction) => audit.listActions(transaction, limit, before));
  }

  /** Passes on to all fed jobs the outputs that other servers, or an earlier server, did not pass on. */
  protected feedAll(): void {
    this.read(allFed).then(
      (jobs) => jobs.forEach((job) => this.feeder.wake(job)),
      // The next outcome of a source, or the next start, wakes its jobs.
      () => {},
    );
  }

  /** Removes the rows of a forgotten job, stride by stride. Other work has its time between two strides. */
  protected async sweep(number: number): Promise<void> {
    while (!(await this.write((transaction) => sweepJob(transaction, number)))) await sleep(strideGapMs);
  }

  /** Resumes deletions that the end of a server interrupted. */
  protected async sweepForgotten(): Promise<void> {
    for (const number of await this.read(forgottenJobs)) await this.sweep(number);
  }
}
