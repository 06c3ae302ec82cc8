import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest/failures.ts";
import type { JobRow } from "../../store.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { feedAgain, mustBeFree, waitAgain } from "./dependents.ts";
import { finishIfEnded } from "./ending.ts";
import { stateBefore } from "./reopening.ts";
import { takeBack } from "./take-back.ts";
import type { Step } from "../database.ts";

/** Failures requeued in one transaction (14 ms), so that requeueing 10^6 does not delay all other work. */
const stride = 2000;

/**
 * The newest failure at the start of requeueing: later failures stay.
 * @throws PlatformError WRONG_STATE when all failures of a fed job are those of its source
 */
export function* newestFailure({ db, jobs }: Transaction, id: JobId): Step<number> {
  const { number, row } = yield* jobs.need(id);
  const found = yield* db.get<{ seq: number | null; inputless: number }>(
    `SELECT max(seq) AS seq, (SELECT count(*) FROM inputless WHERE job = ?1) AS inputless
     FROM outcomePacks WHERE job = ?1 AND failure IS NOT NULL`,
    number,
  );
  if (row.failed > 0 && row.failed === found?.inputless && isWhole(row))
    throw new PlatformError(
      "WRONG_STATE",
      `Every failed task of job ${id} takes the output of a failed task. Expected the job to be requeued in which those failed; its source is ${row.inputsFrom}.`,
    );
  return found?.seq ?? 0;
}

/** Whether no task of a job has failed but those with a failure of their own. */
function isWhole({ state }: JobRow): boolean {
  return state !== "quarantined" && state !== "blocked";
}

/** Requeues one stride of the failures after sequence number `after`, up to `newest`; the caller calls again while there is a `next`. */
export function* requeueStride(
  transaction: Transaction,
  id: JobId,
  after: number,
  newest: number,
  among?: (failure: TaskFailure) => boolean,
): Step<{ requeued: number; next: number | undefined; job: JobRow }> {
  const { db, jobs } = transaction;
  const job = yield* jobs.need(id);
  if (job.row.state === "cancelled")
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${id} was cancelled, and its failed tasks with it. Expected a job that was not; submit it again.`,
    );
  if (among && (job.row.state === "blocked" || job.row.state === "quarantined"))
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${id} ended as ${job.row.state}, so none of its tasks goes on alone. Expected all of its failed tasks to be requeued.`,
    );
  if (job.row.state === "blocked")
    return { requeued: yield* unblock(transaction, job), next: undefined, job: job.row };
  if (job.row.state === "quarantined") yield* mustBeFree(transaction, job);
  const found = yield* db.all<FailureRow>(
    `SELECT seq, first, octet_length(failure) AS bytes, ${among ? "failure" : "NULL AS failure"},
       CASE WHEN EXISTS (SELECT 1 FROM inputless WHERE inputless.job = outcomePacks.job AND idx = first) THEN 1 ELSE 0 END AS inputless
     FROM outcomePacks WHERE job = ? AND failure IS NOT NULL AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    job.number,
    after,
    newest,
    stride,
  );
  const failed = found.filter(
    ({ inputless, failure }) =>
      inputless === 0 && (failure === null || among === undefined || isAmong(failure, among)),
  );
  // Every task of a quarantined job without an outcome counted as failed.
  const unended = job.row.state === "quarantined" ? job.row.total - job.row.done - job.row.failed : 0;
  for (const { seq } of failed)
    db.write("DELETE FROM outcomePacks WHERE job = ? AND seq = ?", job.number, seq);
  const indexes = failed.map(({ first }) => first);
  if (indexes.length > 0) yield* transaction.ended.reopen(job, indexes);
  const forgotten = job.hasProvisional ? yield* transaction.provisional.removeOf(job, new Set(indexes)) : 0;
  const bytes = failed.reduce((sum, row) => sum + row.bytes, forgotten);
  yield* reopen(transaction, job, failed.length, bytes);
  yield* walkAgain(transaction, job, Math.min(...indexes));
  yield* takeBack(transaction, job, indexes);
  for (const released of [job, ...(yield* feedAgain(transaction, job))])
    yield* finishIfEnded(transaction, released);
  const next = found.length === stride ? found.at(-1)?.seq : undefined;
  return { requeued: failed.length + unended, next, job: job.row };
}

interface FailureRow {
  readonly seq: number;
  readonly first: TaskIndex;
  readonly bytes: number;
  readonly inputless: number;
  /** NULL where all failures are requeued. */
  readonly failure: string | null;
}

/** A failure that is damaged on disk is among no chosen ones. */
function isAmong(failure: string, among: (failure: TaskFailure) => boolean): boolean {
  try {
    return among(JSON.parse(failure) as TaskFailure);
  } catch {
    return false;
  }
}

/** Lets all tasks of a blocked job, none of which was computed, wait or start again. */
function* unblock(transaction: Transaction, job: CachedJob): Step<number> {
  for (const released of yield* waitAgain(transaction, job)) yield* finishIfEnded(transaction, released);
  return job.row.total;
}

/** @param bytes - of the removed failures, and of provisional results of their tasks */
function* reopen(transaction: Transaction, job: CachedJob, requeued: number, bytes: number): Step<void> {
  const { db, jobs } = transaction;
  const { state, failed, outputBytes } = job.row;
  if (state === "quarantined") {
    if (job.hasSideRows) db.write("DELETE FROM attempts WHERE job = ?", job.number);
    const submittedAt = transaction.clock();
    jobs.change(job, {
      state: yield* stateBefore(transaction, job),
      endedAt: undefined,
      submittedAt,
      reason: undefined,
    });
  } else if (state === "finished" && requeued > 0)
    jobs.change(job, { state: "closed", endedAt: undefined, reason: undefined });
  if (requeued > 0) jobs.change(job, { failed: failed - requeued, outputBytes: outputBytes - bytes });
}

function* walkAgain(transaction: Transaction, job: CachedJob, lowest: TaskIndex): Step<void> {
  if (lowest < job.lowWater) transaction.jobs.mark(job, lowest);
  const claims = yield* transaction.claims.find(job);
  if (!claims || lowest >= claims.cursor) return;
  transaction.reopened.add(job.number);
  yield* transaction.claims.change(job, (held) => held.rewind(lowest));
}
