import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { JobRow, NewOutcome } from "../../store.ts";
import type { BlobName } from "../../../../shared/data-reference.ts";
import type { JobClaims } from "../claims.ts";
import { blobsOf } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { IndexSet } from "../index-set.ts";
import type { Transaction } from "../transaction.ts";
import { finishIfEnded, isActive } from "./ending.ts";
import { passOn } from "./fed-jobs.ts";
import { keepBlobs } from "./keep-blobs.ts";
import type { Step } from "../database.ts";

export function* complete(
  transaction: Transaction,
  id: JobId,
  outcomes: readonly NewOutcome[],
): Step<{ accepted: TaskIndex[]; dropped: TaskIndex[]; job: JobRow }> {
  const { claims, tasks } = transaction;
  const job = yield* transaction.jobs.need(id);
  if (!isActive(job)) return { accepted: [], dropped: outcomes.map(({ index }) => index), job: job.row };
  const provisional = job.row.provisional > 0 ? yield* transaction.provisional.tasksOf(job) : undefined;
  const ended = yield* transaction.ended.of(job);
  const claimed = yield* claims.find(job);
  // A claim proves that a task exists, without a query.
  const unclaimed = outcomes.filter(({ index }) => claimed?.has(index) !== true);
  const known = new Set<TaskIndex>();
  for (const { index } of unclaimed) if (yield* tasks.has(job.number, index)) known.add(index);
  const mayEnd = (index: TaskIndex) =>
    !ended.has(index) && (unclaimed.length === 0 || known.has(index) || claimed?.has(index) === true);
  const { accepted, dropped, failed, bytes, blobs } = record(transaction, job, ended, outcomes, mayEnd);
  if (accepted.length > 0) {
    // Results of the tasks that are still provisional stay on disk until their windows are judged, or the job ends.
    if (provisional) for (const index of accepted) provisional.delete(index);
    const { row } = job;
    transaction.jobs.change(job, {
      done: row.done + accepted.length - failed,
      failed: row.failed + failed,
      lastSeq: row.lastSeq + accepted.length,
      outputBytes: row.outputBytes + bytes,
      provisional: provisional?.size ?? 0,
    });
    if (blobs.length > 0) yield* keepBlobs(transaction, job, blobs);
    if (job.hasSideRows) for (const index of accepted) dropSideRows(transaction, job, index);
    moveMark(transaction, job, claimed, accepted.length);
    passOn(transaction, job);
    yield* finishIfEnded(transaction, job);
  }
  yield* claims.change(job, (held) => {
    for (const { index } of outcomes) held.release(index);
  });
  return { accepted, dropped, job: job.row };
}

interface Recorded {
  readonly accepted: TaskIndex[];
  readonly dropped: TaskIndex[];
  /** Number of accepted failures. */
  failed: number;
  /** Bytes of the stored outcomes. */
  bytes: number;
  /** Blobs that the accepted outputs refer to. */
  readonly blobs: BlobName[];
}

/** Records the ends of tasks, a task's only one each ([ONCE-1]); see EndedSets. */
function record(
  transaction: Transaction,
  { number, row }: CachedJob,
  ended: IndexSet,
  outcomes: readonly NewOutcome[],
  mayEnd: (index: TaskIndex) => boolean,
): Recorded {
  const recorded: Recorded = { accepted: [], dropped: [], failed: 0, bytes: 0, blobs: [] };
  const { accepted, dropped, blobs } = recorded;
  for (const outcome of outcomes) {
    const { index } = outcome;
    if (!mayEnd(index)) {
      dropped.push(index);
      continue;
    }
    accepted.push(index);
    ended.add(index);
    const seq = row.lastSeq + accepted.length;
    if (outcome.state === "failed") {
      recorded.failed++;
      recorded.bytes += transaction.outcomes.addFailed(number, seq, index, outcome.failure);
      continue;
    }
    const { output, refs } = outcome;
    transaction.outcomes.addDone(number, seq, index, output, refs);
    const kept = blobsOf(output, refs);
    if (kept.length > 0) blobs.push(...kept);
    if (output instanceof Uint8Array) recorded.bytes += output.length;
  }
  return recorded;
}

function dropSideRows({ db }: Transaction, job: CachedJob, index: TaskIndex): void {
  db.write("DELETE FROM attempts WHERE job = ? AND idx = ?", job.number, index);
  db.write("DELETE FROM checkpoints WHERE job = ? AND idx = ?", job.number, index);
}

/**
 * Saves now and then, for the next start, which tasks have ended. The mark follows the claims from before this transaction: it
 * may be too low, never too high.
 */
function moveMark(
  transaction: Transaction,
  job: CachedJob,
  claimed: JobClaims | undefined,
  outcomes: number,
): void {
  if (!transaction.ended.count(job, outcomes) || transaction.reopened.has(job.number)) return;
  transaction.ended.save(job);
  if (claimed) transaction.jobs.mark(job, claimed.lowWater());
}
