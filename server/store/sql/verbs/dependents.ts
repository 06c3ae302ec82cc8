import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest/failures.ts";
import type { JobRow } from "../../store.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { dropClaims } from "./drop-claims.ts";
import { fedBy, passOn, removeFeed, sourceOf, takesMore } from "./fed-jobs.ts";
import { rememberState, stateBefore } from "./reopening.ts";
import { dropProvisional } from "./withdraw-provisional.ts";
import type { Step } from "../database.ts";

/**
 * Jobs that depend on others: they come `after` those, or they are fed by one of them.
 *
 * `waits` has a row for each job that has not finished well yet, also while the job that comes after it is blocked, so that the
 * blocked job goes on once all of them have. The row of a job that was deleted before it finished stays for good, and so does the row in
 * `feeds` of a job that was not fed everything by then.
 */

/** Makes a new job wait for the jobs it comes after, or blocks it at once when one of them has failed. */
export function* waitForOthers(transaction: Transaction, job: CachedJob): Step<void> {
  for (const id of new Set(job.row.after ?? [])) {
    const other = yield* transaction.jobs.need(id);
    if (!succeeded(other.row))
      transaction.db.write("INSERT INTO waits (job, after) VALUES (?, ?)", job.number, other.number);
  }
  const { failure, waitingFor } = yield* inTheWay(transaction, job);
  if (failure) yield* block(transaction, job, failure);
  else if (waitingFor.length > 0) transaction.jobs.change(job, { waitingFor });
}

/**
 * Checks that no job that this one depends on keeps it from going on.
 * @throws PlatformError WRONG_STATE when a job it comes after, or its source, is gone or ended otherwise than well
 */
export function* mustBeFree(transaction: Transaction, job: CachedJob): Step<void> {
  const { failure } = yield* inTheWay(transaction, job);
  if (failure)
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${job.row.id} is still blocked: ${failure} Expected that job to be requeued first, or this one to be submitted again.`,
    );
}

/**
 * Lets a blocked job, and the jobs that it blocked in turn, wait again.
 * @returns jobs that no longer wait
 * @throws PlatformError WRONG_STATE when a job it comes after is gone, or still blocks it
 */
export function* waitAgain(transaction: Transaction, job: CachedJob): Step<CachedJob[]> {
  yield* mustBeFree(transaction, job);
  return yield* goOn(transaction, job);
}

/**
 * Lets the jobs that are fed by a requeued job go on when it had blocked them.
 * @returns jobs that no longer wait
 */
export function* feedAgain(transaction: Transaction, source: CachedJob): Step<CachedJob[]> {
  const released: CachedJob[] = [];
  for (const job of yield* fedBy(transaction, source)) released.push(...(yield* goOn(transaction, job)));
  return released;
}

/**
 * Handles the end of a job, or its deletion (`deleted`): jobs that wait for it or were blocked by it go on, or they are
 * blocked, and so on down the chain. Jobs that it feeds get the rest of its outcomes, or they are blocked.
 * @returns jobs that no longer wait
 */
export function* settleDependents(
  transaction: Transaction,
  ended: CachedJob,
  deleted = false,
): Step<CachedJob[]> {
  const released: CachedJob[] = [];
  const failure = whyNot(ended.row, deleted);
  leaveQueue(transaction, ended);
  yield* settleFed(transaction, ended, deleted);
  for (const job of yield* waitingOn(transaction, ended)) {
    if (failure !== undefined) {
      yield* blockAll(transaction, job, failure);
      continue;
    }
    transaction.db.write("DELETE FROM waits WHERE job = ? AND after = ?", job.number, ended.number);
    if (job.row.state === "blocked") released.push(...(yield* goOn(transaction, job)));
    else {
      const waitingFor = job.row.waitingFor.filter((id) => id !== ended.row.id);
      transaction.jobs.change(job, { waitingFor });
      if (waitingFor.length > 0) continue;
      tell(transaction, job);
      released.push(job);
    }
  }
  return released;
}

function* settleFed(transaction: Transaction, ended: CachedJob, deleted: boolean): Step<void> {
  if (deleted || ended.row.state === "cancelled") yield* removeFeed(transaction, ended);
  passOn(transaction, ended);
  for (const job of yield* fedBy(transaction, ended)) {
    const failure = whyNoOutputs(ended.row, job.row, deleted);
    if (deleted && !(yield* takesMore(transaction, job))) yield* removeFeed(transaction, job);
    else if (failure !== undefined && job.row.state === "open") yield* blockAll(transaction, job, failure);
  }
}

/**
 * Opens a blocked job whose obstacles are gone, and the jobs that it had blocked, down the chain.
 * @returns jobs that no longer wait
 */
function* goOn(transaction: Transaction, first: CachedJob): Step<CachedJob[]> {
  const released: CachedJob[] = [];
  const queue = [first];
  for (let job = queue.pop(); job; job = queue.pop()) {
    if (job.row.state !== "blocked") continue;
    const { failure, waitingFor } = yield* inTheWay(transaction, job);
    // The job stays blocked by another failure, which its reason names from now on.
    if (failure !== undefined && failure === job.row.reason?.message) continue;
    transaction.jobs.change(
      job,
      failure === undefined
        ? {
            state: yield* stateBefore(transaction, job),
            endedAt: undefined,
            submittedAt: transaction.clock(),
            reason: undefined,
            waitingFor,
          }
        : { reason: blockedBy(failure) },
    );
    tell(transaction, job);
    if (failure === undefined && waitingFor.length === 0) released.push(job);
    queue.push(...(yield* waitingOn(transaction, job)), ...(yield* fedBy(transaction, job)));
  }
  return released;
}

/** Blocks a job and all jobs that wait for it or are fed by it, however long the chain. */
export function* blockAll(transaction: Transaction, first: CachedJob, failure: string): Step<void> {
  const queue = [{ job: first, failure }];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const { job: blocked, failure } = next;
    if (blocked.row.state === "blocked") continue;
    yield* block(transaction, blocked, failure);
    for (const job of yield* waitingOn(transaction, blocked)) queue.push({ job, failure });
    for (const job of yield* fedBy(transaction, blocked))
      if (job.row.state === "open") queue.push({ job, failure });
  }
}

function* block(transaction: Transaction, job: CachedJob, failure: string): Step<void> {
  rememberState(transaction, job);
  transaction.jobs.change(job, {
    state: "blocked",
    endedAt: transaction.clock(),
    reason: blockedBy(failure),
    waitingFor: [],
  });
  yield* dropProvisional(transaction, job);
  dropClaims(transaction, job);
  tell(transaction, job);
}

function blockedBy(message: string): TaskFailure {
  return { index: 0, kind: "blocked", message, attempts: 0 };
}

/** The jobs that a job waits for (not its source, which feeds it meanwhile), and the first failure that keeps it from starting, if there is one. */
function* inTheWay(
  transaction: Transaction,
  job: CachedJob,
): Step<{ waitingFor: JobId[]; failure: string | undefined }> {
  const waitingFor: JobId[] = [];
  const source = yield* sourceOf(transaction, job);
  const unfed =
    source === null
      ? "The job whose outputs it takes was deleted before all of them were passed on."
      : source && whyNoOutputs(source.row, job.row);
  if (unfed !== undefined) return { waitingFor, failure: unfed };
  for (const { id } of yield* transaction.db.all<{ id: JobId | null }>(
    "SELECT jobs.id FROM waits LEFT JOIN jobs ON jobs.number = waits.after WHERE waits.job = ? ORDER BY waits.after",
    job.number,
  )) {
    const failure =
      id === null
        ? "A job which it comes after was deleted before it finished."
        : whyNot((yield* transaction.jobs.need(id)).row);
    if (failure !== undefined) return { waitingFor: [], failure };
    if (id !== null) waitingFor.push(id);
  }
  return { waitingFor, failure: undefined };
}

/** Removes the rows of an ended job in `waits`. */
function leaveQueue(transaction: Transaction, job: CachedJob): void {
  const { waitingFor, after = [] } = job.row;
  if (after.length === 0) return;
  transaction.db.write("DELETE FROM waits WHERE job = ?", job.number);
  if (waitingFor.length > 0) transaction.jobs.change(job, { waitingFor: [] });
}

function* waitingOn({ db, jobs }: Transaction, { number }: CachedJob): Step<CachedJob[]> {
  const rows = yield* db.all<{ id: JobId }>(
    "SELECT jobs.id FROM waits JOIN jobs ON jobs.number = waits.job WHERE waits.after = ? ORDER BY waits.job",
    number,
  );
  const found: CachedJob[] = [];
  for (const { id } of rows) found.push(yield* jobs.need(id));
  return found;
}

/** The reason why jobs after this job cannot run; undefined while they may. */
function whyNot(row: JobRow, deleted = false): string | undefined {
  const job = `Job ${row.id} ("${row.name}"), which it comes after,`;
  if (deleted && !succeeded(row)) return `${job} was deleted before it finished.`;
  if (row.state === "finished" && row.failed > 0)
    return `${job} finished with ${row.failed} of ${row.total} tasks failed.`;
  return howEnded(row, job);
}

/** The reason why a job cannot feed another one; undefined while it may. Jobs that were fed everything do not ask. */
function whyNoOutputs(source: JobRow, fed: JobRow, deleted = false): string | undefined {
  const job = `Job ${source.id} ("${source.name}"), whose outputs it takes,`;
  if (deleted) return `${job} was deleted before all of them were passed on.`;
  if (source.state === "finished" && source.failed > 0 && fed.outputsPerTask !== undefined)
    return `${job} finished with ${source.failed} of ${source.total} tasks failed.`;
  return howEnded(source, job);
}

/** The end of a job that did not finish. */
function howEnded(row: JobRow, job: string): string | undefined {
  switch (row.state) {
    case "open":
    case "closed":
    case "finished":
      return undefined;
    case "cancelled":
      return `${job} was cancelled.`;
    case "quarantined":
      return `${job} was quarantined${row.reason ? `: ${row.reason.message}` : "."}`;
    case "blocked":
      // The reason names the first cause only, so that a chain of a thousand jobs has reasons of one length.
      return row.reason?.message ?? `${job} was blocked.`;
  }
}

function succeeded({ state, failed }: JobRow): boolean {
  return state === "finished" && failed === 0;
}

/** Tells of a job that another one released, blocked or opened again. */
export function tell(transaction: Transaction, job: CachedJob): void {
  // Listeners may call the store, so they are not called inside the commit.
  transaction.afterCommit(() => queueMicrotask(() => transaction.dependents(job.row)));
  if (job.row.inputsFrom !== undefined) transaction.afterCommit(() => transaction.feed(job.row.id));
}
