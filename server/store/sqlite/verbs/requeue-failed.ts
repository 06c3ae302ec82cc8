import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { waitAgain } from "./dependents.ts";
import { finishIfEnded } from "./ending.ts";
import { stateBefore } from "./reopening.ts";

/** Failures requeued in one transaction (14 ms), so that requeueing 10^6 does not delay all other work. */
const stride = 2000;

/** The newest failure at the start of requeueing: later failures stay. */
export function newestFailure({ db, jobs }: Transaction, id: JobId): number {
  const found = db.get<{ seq: number | null }>(
    "SELECT max(seq) AS seq FROM outcomePacks WHERE job = ? AND failure IS NOT NULL",
    jobs.need(id).number,
  );
  return found?.seq ?? 0;
}

/** Requeues one stride of the failures up to `newest`; the caller calls again while `more`. */
export function requeueStride(
  transaction: Transaction,
  id: JobId,
  newest: number,
): { requeued: number; more: boolean; job: JobRow } {
  const { db, jobs } = transaction;
  const job = jobs.need(id);
  if (job.row.state === "cancelled")
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${id} was cancelled, and its failed tasks with it. Expected a job that was not; submit it again.`,
    );
  if (job.row.state === "blocked") return { requeued: unblock(transaction, job), more: false, job: job.row };
  const failed = db.all<{ seq: number; first: TaskIndex; bytes: number }>(
    "SELECT seq, first, octet_length(failure) AS bytes FROM outcomePacks WHERE job = ? AND failure IS NOT NULL AND seq <= ? ORDER BY seq LIMIT ?",
    job.number,
    newest,
    stride,
  );
  // Every task of a quarantined job without an outcome counted as failed.
  const unended = job.row.state === "quarantined" ? job.row.total - job.row.done - job.row.failed : 0;
  for (const { seq } of failed) db.run("DELETE FROM outcomePacks WHERE job = ? AND seq = ?", job.number, seq);
  const indexes = failed.map(({ first }) => first);
  if (indexes.length > 0) transaction.ended.reopen(job, indexes);
  const forgotten = job.hasProvisional ? transaction.provisional.removeOf(job, new Set(indexes)) : 0;
  const bytes = failed.reduce((sum, row) => sum + row.bytes, forgotten);
  reopen(transaction, job, failed.length, bytes);
  walkAgain(transaction, job, Math.min(...indexes));
  finishIfEnded(transaction, job);
  return { requeued: failed.length + unended, more: failed.length === stride, job: job.row };
}

/** Lets all tasks of a blocked job, none of which was computed, wait or start again. */
function unblock(transaction: Transaction, job: CachedJob): number {
  for (const released of waitAgain(transaction, job)) finishIfEnded(transaction, released);
  return job.row.total;
}

/** @param bytes - of the removed failures, and of provisional results of their tasks */
function reopen(transaction: Transaction, job: CachedJob, requeued: number, bytes: number): void {
  const { db, jobs } = transaction;
  const { state, failed, outputBytes } = job.row;
  if (state === "quarantined") {
    if (job.hasSideRows) db.run("DELETE FROM attempts WHERE job = ?", job.number);
    const submittedAt = transaction.clock();
    jobs.change(job, {
      state: stateBefore(transaction, job),
      endedAt: undefined,
      submittedAt,
      reason: undefined,
    });
  } else if (state === "finished" && requeued > 0)
    jobs.change(job, { state: "closed", endedAt: undefined, reason: undefined });
  if (requeued > 0) jobs.change(job, { failed: failed - requeued, outputBytes: outputBytes - bytes });
}

function walkAgain(transaction: Transaction, job: CachedJob, lowest: TaskIndex): void {
  if (lowest < job.lowWater) transaction.jobs.mark(job, lowest);
  const claims = transaction.claims.get(job.number);
  if (!claims || lowest >= claims.cursor) return;
  transaction.reopened.add(job.number);
  transaction.afterCommit(() => claims.rewind(lowest));
}
