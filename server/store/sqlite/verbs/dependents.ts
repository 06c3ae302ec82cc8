import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest.ts";
import type { JobRow } from "../../store.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { rememberState, stateBefore } from "./reopening.ts";
import { dropProvisional } from "./withdraw-provisional.ts";

/**
 * `waits` has a row for each job that has not finished well yet, also while the job that comes after it is blocked, so that the
 * blocked job goes on once all of them have. The row of a job that was deleted before it finished stays for good.
 */

/** Makes a new job wait for the jobs it comes after, or blocks it at once when one of them has failed. */
export function waitForOthers(transaction: Transaction, job: CachedJob): void {
  const others = new Set((job.row.after ?? []).map((id) => transaction.jobs.need(id)));
  for (const other of others)
    if (!succeeded(other.row))
      transaction.db.run("INSERT INTO waits (job, after) VALUES (?, ?)", job.number, other.number);
  const { failure, waitingFor } = inTheWay(transaction, job);
  if (failure) block(transaction, job, failure);
  else if (waitingFor.length > 0) transaction.jobs.change(job, { waitingFor });
}

/**
 * Lets a blocked job, and the jobs that it blocked in turn, wait again.
 * @returns jobs that no longer wait
 * @throws PlatformError WRONG_STATE when a job it comes after is gone, or still blocks it
 */
export function waitAgain(transaction: Transaction, job: CachedJob): CachedJob[] {
  const { failure } = inTheWay(transaction, job);
  if (failure)
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${job.row.id} is still blocked: ${failure} Expected that job to be requeued first, or this one to be submitted again.`,
    );
  return goOn(transaction, job);
}

/**
 * Handles the end of a job, or its deletion (`deleted`): jobs that wait for it or were blocked by it go on, or they are
 * blocked, and so on down the chain.
 * @returns jobs that no longer wait
 */
export function settleDependents(transaction: Transaction, ended: CachedJob, deleted = false): CachedJob[] {
  const released: CachedJob[] = [];
  const failure = whyNot(ended.row, deleted);
  leaveQueue(transaction, ended);
  for (const job of dependentsOf(transaction, ended)) {
    if (failure !== undefined) {
      blockAll(transaction, job, failure);
      continue;
    }
    transaction.db.run("DELETE FROM waits WHERE job = ? AND after = ?", job.number, ended.number);
    if (job.row.state === "blocked") released.push(...goOn(transaction, job));
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

/**
 * Opens a blocked job whose obstacles are gone, and the jobs that it had blocked, down the chain.
 * @returns jobs that no longer wait
 */
function goOn(transaction: Transaction, first: CachedJob): CachedJob[] {
  const released: CachedJob[] = [];
  const queue = [first];
  for (let job = queue.pop(); job; job = queue.pop()) {
    if (job.row.state !== "blocked") continue;
    const { failure, waitingFor } = inTheWay(transaction, job);
    // The job stays blocked by another failure, which its reason names from now on.
    if (failure !== undefined && failure === job.row.reason?.message) continue;
    transaction.jobs.change(
      job,
      failure === undefined
        ? {
            state: stateBefore(transaction, job),
            endedAt: undefined,
            submittedAt: transaction.clock(),
            reason: undefined,
            waitingFor,
          }
        : { reason: blockedBy(failure) },
    );
    tell(transaction, job);
    if (failure === undefined && waitingFor.length === 0) released.push(job);
    queue.push(...dependentsOf(transaction, job));
  }
  return released;
}

/** Blocks a job and all jobs that wait for it, however long the chain. */
function blockAll(transaction: Transaction, first: CachedJob, failure: string): void {
  const queue = [{ job: first, failure }];
  for (let next = queue.pop(); next; next = queue.pop()) {
    if (next.job.row.state === "blocked") continue;
    block(transaction, next.job, next.failure);
    const reason = whyNot(next.job.row);
    if (reason) for (const job of dependentsOf(transaction, next.job)) queue.push({ job, failure: reason });
  }
}

function block(transaction: Transaction, job: CachedJob, failure: string): void {
  rememberState(transaction, job);
  transaction.jobs.change(job, {
    state: "blocked",
    endedAt: transaction.clock(),
    reason: blockedBy(failure),
    waitingFor: [],
  });
  dropProvisional(transaction, job);
  tell(transaction, job);
}

function blockedBy(message: string): TaskFailure {
  return { index: 0, kind: "blocked", message, attempts: 0 };
}

/** The jobs that a job waits for, and the first failure that keeps it from starting, if there is one. */
function inTheWay(
  transaction: Transaction,
  job: CachedJob,
): { waitingFor: JobId[]; failure: string | undefined } {
  const waitingFor: JobId[] = [];
  for (const { id } of transaction.db.all<{ id: JobId | null }>(
    "SELECT jobs.id FROM waits LEFT JOIN jobs ON jobs.number = waits.after WHERE waits.job = ? ORDER BY waits.after",
    job.number,
  )) {
    const failure =
      id === null
        ? "A job which it comes after was deleted before it finished."
        : whyNot(transaction.jobs.need(id).row);
    if (failure !== undefined) return { waitingFor: [], failure };
    if (id !== null) waitingFor.push(id);
  }
  return { waitingFor, failure: undefined };
}

/** Removes the rows of an ended job in `waits`. */
function leaveQueue(transaction: Transaction, job: CachedJob): void {
  const { waitingFor, after = [] } = job.row;
  if (after.length === 0) return;
  transaction.db.run("DELETE FROM waits WHERE job = ?", job.number);
  if (waitingFor.length > 0) transaction.jobs.change(job, { waitingFor: [] });
}

function dependentsOf({ db, jobs }: Transaction, { number }: CachedJob): CachedJob[] {
  return db
    .all<{ id: JobId }>(
      "SELECT jobs.id FROM waits JOIN jobs ON jobs.number = waits.job WHERE waits.after = ? ORDER BY waits.job",
      number,
    )
    .map(({ id }) => jobs.need(id));
}

/** The reason why jobs after this job cannot run; undefined while they may. */
function whyNot(row: JobRow, deleted = false): string | undefined {
  const job = `Job ${row.id} ("${row.name}"), which it comes after,`;
  if (deleted && !succeeded(row)) return `${job} was deleted before it finished.`;
  switch (row.state) {
    case "open":
    case "closed":
      return undefined;
    case "finished":
      return row.failed === 0
        ? undefined
        : `${job} finished with ${row.failed} of ${row.total} tasks failed.`;
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

function tell(transaction: Transaction, job: CachedJob): void {
  // Listeners may call the store, so they are not called inside the commit.
  transaction.afterCommit(() => queueMicrotask(() => transaction.dependents(job.row)));
}
