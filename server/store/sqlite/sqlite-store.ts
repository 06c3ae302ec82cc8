import type { BlobName } from "../../../shared/data-reference.ts";
import { PlatformError } from "../../../shared/errors.ts";
import type { JobId, Sha256, TaskIndex } from "../../../shared/ids.ts";
import type { Compare, TaskFailure, Verify } from "../../../shared/wire/rest.ts";
import type {
  BlobOwner,
  CheckpointAuthor,
  Checks,
  ClaimedTask,
  JobFilter,
  JobRow,
  NewJob,
  NewOutcome,
  NewOutput,
  NewTask,
  Standing,
  Store,
  TokenRow,
  WindowName,
} from "../store.ts";
import type { Quotas } from "../quotas.ts";
import type { Database } from "./database.ts";
import { EndedSets } from "./ended-sets.ts";
import { storeError } from "./failure.ts";
import { Feeder } from "./feeder.ts";
import { GroupCommit } from "./group-commit.ts";
import { JobCache } from "./job-cache.ts";
import { OutcomePacks } from "./outcome-packs.ts";
import { ProvisionalPacks } from "./provisional-packs.ts";
import type { Transaction } from "./transaction.ts";
import { TaskPacks } from "./task-packs.ts";
import { UsageLedger } from "./usage-ledger.ts";
import { acceptProvisional } from "./verbs/accept-provisional.ts";
import * as bans from "./verbs/bans.ts";
import { disownBlob } from "./verbs/blob-owners.ts";
import * as blobs from "./verbs/blobs.ts";
import { checkpoint } from "./verbs/checkpoint.ts";
import { noteChecks, setVerify } from "./verbs/checks.ts";
import { claimStride } from "./verbs/claim.ts";
import { closeJob } from "./verbs/close-job.ts";
import { complete } from "./verbs/complete.ts";
import { createJob } from "./verbs/create-job.ts";
import { forgetJob, forgottenJobs, sweepJob } from "./verbs/delete-job.ts";
import { endJob } from "./verbs/end-job.ts";
import { failures } from "./verbs/failures.ts";
import { fedIds, readFed } from "./verbs/fed-jobs.ts";
import { feedStride } from "./verbs/feed.ts";
import { keepProvisional } from "./verbs/keep-provisional.ts";
import * as kernels from "./verbs/kernels.ts";
import { jobTotals, listJobs, pageOfJobs } from "./verbs/list-jobs.ts";
import { listWindows, provisionalOutput, provisionalResults } from "./verbs/provisional-results.ts";
import { readTasks } from "./verbs/read-tasks.ts";
import { recordAttempts } from "./verbs/record-attempts.ts";
import { newestFailure, requeueStride } from "./verbs/requeue-failed.ts";
import { results } from "./verbs/results.ts";
import { setPaused } from "./verbs/set-paused.ts";
import { setPriority } from "./verbs/set-priority.ts";
import * as standings from "./verbs/standings.ts";
import { submit } from "./verbs/submit.ts";
import * as tokens from "./verbs/tokens.ts";
import { unclaim } from "./verbs/unclaim.ts";
import { withdrawProvisional } from "./verbs/withdraw-provisional.ts";

/**
 * The Store on one SQLite connection, which owns its database. Made by `openSqliteStore` and `openMemoryStore`.
 *
 * Measured by `npm run bench -- store`: 10^6 tasks pass through all verbs at 650,000/s on a RAM disk, in batches of 500.
 */
export class SqliteStore implements Store {
  readonly #transaction: Transaction;
  readonly #group: GroupCommit;
  readonly #feeder = new Feeder((id) => this.#write((transaction) => feedStride(transaction, id)));
  #closing: Promise<void> | undefined;

  constructor(db: Database, options: { clock: () => number; markEvery: number; quotas: Quotas }) {
    const effects: (() => void)[] = [];
    const { clock, markEvery, quotas } = options;
    const tasks = new TaskPacks(db);
    const usage = new UsageLedger(db, quotas);
    const ended = new EndedSets(db, markEvery);
    const transaction: Transaction = {
      db,
      jobs: new JobCache(db, tasks, usage),
      tasks,
      outcomes: new OutcomePacks(db),
      provisional: new ProvisionalPacks(db, ended),
      ended,
      usage,
      claims: new Map(),
      fed: readFed(db),
      feed: (id) => this.#feeder.wake(id),
      reopened: new Set(),
      blobUsage: undefined,
      dependents: () => {},
      afterCommit: (effect) => effects.push(effect),
      clock,
    };
    this.#transaction = transaction;
    this.#group = new GroupCommit(db, {
      changes: () => transaction.jobs.changes,
      beforeCommit: () => {
        transaction.tasks.flush();
        transaction.outcomes.flush();
        transaction.provisional.flush();
        transaction.ended.flush();
        transaction.jobs.writeChanges();
      },
      committed: () => {
        transaction.reopened.clear();
        usage.committed();
        for (const effect of effects.splice(0)) effect();
      },
      rolledBack: () => {
        transaction.reopened.clear();
        effects.length = 0;
        usage.rolledBack();
        transaction.jobs.clear();
        transaction.tasks.clear();
        transaction.outcomes.clear();
        transaction.provisional.clear();
        transaction.ended.clear();
      },
    });
    this.#sweepForgotten();
  }

  check() {
    return this.#write(({ db }) => {
      const row = db.get<{ user_version: number }>("PRAGMA user_version");
      // Writes the first page unchanged.
      db.exec(`PRAGMA user_version = ${row?.user_version ?? 0}`);
    });
  }

  createJob(job: NewJob) {
    return this.#write((transaction) => createJob(transaction, job));
  }

  getJob(id: JobId) {
    return this.#read((transaction) => transaction.jobs.find(id)?.row);
  }

  listJobs(filter: JobFilter = {}, limit?: number) {
    return this.#read((transaction) => listJobs(transaction, filter, limit));
  }

  pageOfJobs(filter: JobFilter, limit: number, cursor?: string) {
    return this.#read((transaction) => pageOfJobs(transaction, filter, limit, cursor));
  }

  jobTotals() {
    return this.#read((transaction) => jobTotals(transaction));
  }

  onDependents(listener: (row: JobRow) => void) {
    this.#transaction.dependents = listener;
  }

  onFed(listener: (row: JobRow) => void) {
    this.#feeder.listener = listener;
    for (const jobs of this.#transaction.fed.values()) for (const id of jobs) this.#feeder.wake(id);
  }

  submit(id: JobId, tasks: readonly NewTask[]) {
    return this.#write((transaction) => submit(transaction, id, tasks), tasks.length);
  }

  closeJob(id: JobId) {
    return this.#write((transaction) => closeJob(transaction, id));
  }

  endJob(id: JobId, as: "cancelled" | "quarantined", reason?: TaskFailure) {
    return this.#write((transaction) => endJob(transaction, id, as, reason));
  }

  setPaused(id: JobId, paused: boolean) {
    return this.#write((transaction) => setPaused(transaction, id, paused));
  }

  setPriority(id: JobId, priority: number) {
    return this.#write((transaction) => setPriority(transaction, id, priority));
  }

  async requeueFailed(id: JobId) {
    const newest = await this.#read((transaction) => newestFailure(transaction, id));
    const requeue = (after: number) =>
      this.#write((transaction) => requeueStride(transaction, id, after, newest));
    let { requeued, next, job } = await requeue(0);
    while (next !== undefined) {
      const stride = await requeue(next);
      ({ next, job } = stride);
      requeued += stride.requeued;
    }
    if (job.inputsFrom !== undefined) this.#feeder.wake(id);
    return { requeued, job };
  }

  async deleteJob(id: JobId) {
    if (this.#transaction.fed.size > 0)
      await this.#feeder.finish(await this.#read((transaction) => fedIds(transaction, id)));
    const number = await this.#write((transaction) => forgetJob(transaction, id));
    if (number !== undefined) await this.#sweep(number);
  }

  async claim(id: JobId, limit: number) {
    const tasks: ClaimedTask[] = [];
    for (;;) {
      const found = await this.#read((transaction) => claimStride(transaction, id, limit - tasks.length));
      tasks.push(...found.tasks);
      if (!found.more || tasks.length >= limit) return tasks;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  unclaim(id: JobId, indexes: readonly TaskIndex[]) {
    return this.#read((transaction) => unclaim(transaction, id, indexes));
  }

  complete(id: JobId, outcomes: readonly NewOutcome[]) {
    return this.#write((transaction) => complete(transaction, id, outcomes), outcomes.length);
  }

  recordAttempts(id: JobId, attempts: readonly { index: TaskIndex; attempts: number }[]) {
    return this.#write((transaction) => recordAttempts(transaction, id, attempts), attempts.length);
  }

  checkpoint(id: JobId, index: TaskIndex, state: Uint8Array, by?: CheckpointAuthor) {
    return this.#write((transaction) => checkpoint(transaction, id, index, state, by));
  }

  keepProvisional(id: JobId, window: WindowName, outputs: readonly NewOutput[]) {
    return this.#write((transaction) => keepProvisional(transaction, id, window, outputs), outputs.length);
  }

  acceptProvisional(id: JobId, window: number, indexes: readonly TaskIndex[], checks?: Partial<Checks>) {
    return this.#write(
      (transaction) => acceptProvisional(transaction, id, window, indexes, checks),
      indexes.length,
    );
  }

  withdrawProvisional(id: JobId, window: number, indexes?: readonly TaskIndex[], checks?: Partial<Checks>) {
    return this.#write((transaction) => withdrawProvisional(transaction, id, window, indexes, checks));
  }

  provisionalOutput(id: JobId, window: number, index: TaskIndex) {
    return this.#read((transaction) => provisionalOutput(transaction, id, window, index));
  }

  provisionalResults(id: JobId, after: TaskIndex, limit: number, maxBytes: number) {
    return this.#read((transaction) => provisionalResults(transaction, id, after, limit, maxBytes));
  }

  listWindows() {
    return this.#read(listWindows);
  }

  readTasks(id: JobId, indexes: readonly TaskIndex[]) {
    return this.#read((transaction) => readTasks(transaction, id, indexes));
  }

  noteChecks(id: JobId, checks: Partial<Checks>) {
    return this.#write((transaction) => noteChecks(transaction, id, checks));
  }

  setVerify(id: JobId, options: { verify: Verify; compare: Compare }) {
    return this.#write((transaction) => setVerify(transaction, id, options));
  }

  saveStanding(standing: Standing) {
    return this.#write((transaction) => standings.saveStanding(transaction, standing));
  }

  collectStandings(before: number) {
    return this.#write((transaction) => standings.collectStandings(transaction, before));
  }

  listStandings() {
    return this.#read(standings.listStandings);
  }

  results(id: JobId, after: number, limit: number, maxBytes: number) {
    return this.#read((transaction) => results(transaction, id, after, limit, maxBytes));
  }

  failures(id: JobId, limit: number) {
    return this.#read((transaction) => failures(transaction, id, limit));
  }

  putKernel(sha256: Sha256, source: Uint8Array, customer: string) {
    return this.#write((transaction) => kernels.putKernel(transaction, sha256, source, customer));
  }

  getKernel(sha256: Sha256, customer?: string) {
    return this.#read((transaction) => kernels.getKernel(transaction, sha256, customer));
  }

  listKernels(customer?: string) {
    return this.#read((transaction) => kernels.listKernels(transaction, customer));
  }

  deleteKernel(sha256: Sha256, customer?: string) {
    return this.#write((transaction) => kernels.deleteKernel(transaction, sha256, customer));
  }

  collectKernels(before: number) {
    return this.#write((transaction) => kernels.collectKernels(transaction, before));
  }

  touchBlob(name: BlobName, owner?: BlobOwner) {
    return this.#write((transaction) => blobs.touchBlob(transaction, name, owner));
  }

  getBlob(sha256: Sha256, owner?: BlobOwner) {
    return this.#read((transaction) => blobs.getBlob(transaction, sha256, owner));
  }

  jobHasBlob(id: JobId, sha256: Sha256) {
    return this.#read((transaction) => blobs.jobHasBlob(transaction, id, sha256));
  }

  disownBlob(sha256: Sha256, owner?: BlobOwner) {
    return this.#write((transaction) => disownBlob(transaction, sha256, owner));
  }

  blobUsage() {
    return this.#read(blobs.blobUsage);
  }

  unreferencedBlobs(before: number, limit: number) {
    return this.#read((transaction) => blobs.unreferencedBlobs(transaction, before, limit));
  }

  forgetBlob(sha256: Sha256, when?: number | "unowned") {
    return this.#write((transaction) => blobs.forgetBlob(transaction, sha256, when));
  }

  get quotas() {
    return this.#transaction.usage.quotas;
  }

  usage(customer: string) {
    return this.#read(({ usage }) => ({ ...usage.of(customer) }));
  }

  usages() {
    return this.#read(({ usage }) => usage.all());
  }

  checkRoom(customer: string, bytes: number) {
    return this.#read(({ usage }) => usage.mustFit(customer, { bytes }));
  }

  onQuota(listener: (customer: string, full: boolean) => void) {
    // Listeners may call the store, so they are not called inside the commit.
    this.#transaction.usage.listen((customer, full) => queueMicrotask(() => listener(customer, full)));
  }

  createToken(token: TokenRow) {
    return this.#write((transaction) => tokens.createToken(transaction, token));
  }

  async findToken(hash: Sha256) {
    const token = await this.#read((transaction) => tokens.findToken(transaction, hash));
    if (token && tokens.isNewUse(this.#transaction, token))
      // Recording the use may fail, because a full disk must not refuse sign-ins.
      this.#write((transaction) => tokens.recordTokenUse(transaction, token.id)).catch(() => {});
    return token;
  }

  listTokens() {
    return this.#read(tokens.listTokens);
  }

  revokeToken(id: string) {
    return this.#write((transaction) => tokens.revokeToken(transaction, id));
  }

  ban(subject: string, reason: string) {
    return this.#write((transaction) => bans.ban(transaction, subject, reason));
  }

  unban(subject: string) {
    return this.#write((transaction) => bans.unban(transaction, subject));
  }

  listBans() {
    return this.#read(bans.listBans);
  }

  close() {
    this.#feeder.close();
    this.#closing ??= this.#group.drained().then(() => this.#transaction.db.close());
    return this.#closing;
  }

  /** Queues a verb for the next commit. */
  async #write<T>(verb: (transaction: Transaction) => T, rows = 1): Promise<T> {
    this.#mustBeOpen();
    return this.#group.write(() => verb(this.#transaction), rows);
  }

  /** Runs a verb at once: between transactions the database and the job cache hold exactly the committed state. */
  async #read<T>(verb: (transaction: Transaction) => T): Promise<T> {
    this.#mustBeOpen();
    try {
      return verb(this.#transaction);
    } catch (error) {
      throw storeError(error);
    }
  }

  #mustBeOpen(): void {
    if (this.#closing)
      throw new PlatformError("SHUTTING_DOWN", "The store is closed: the server is going down.");
  }

  async #sweep(number: number): Promise<void> {
    while (!(await this.#write((transaction) => sweepJob(transaction, number))));
  }

  /** Resumes deletions that the end of the server interrupted. */
  #sweepForgotten(): void {
    for (const number of forgottenJobs(this.#transaction))
      // After any failure the next start resumes the sweep.
      this.#sweep(number).catch(() => {});
  }
}
