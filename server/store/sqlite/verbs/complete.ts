import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { JobRow, NewOutcome } from "../../store.ts";
import { blobsOf } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { finishIfEnded, isActive, isOpen } from "./ending.ts";
import { passOn } from "./fed-jobs.ts";
import { keepBlobs } from "./keep-blobs.ts";

export function complete(
  transaction: Transaction,
  id: JobId,
  outcomes: readonly NewOutcome[],
): { accepted: TaskIndex[]; dropped: TaskIndex[]; job: JobRow } {
  const job = transaction.jobs.need(id);
  const accepted: TaskIndex[] = [];
  const dropped: TaskIndex[] = [];
  let failed = 0;
  let bytes = 0;
  const active = isActive(job);
  const provisional = active && job.row.provisional > 0 ? transaction.provisional.tasksOf(job) : undefined;
  for (const outcome of outcomes) {
    const { index } = outcome;
    if (!active || !isOpen(transaction, job, index)) dropped.push(index);
    else {
      accepted.push(index);
      bytes += record(transaction, job, job.row.lastSeq + accepted.length, outcome);
      if (outcome.state === "failed") failed++;
      // Results of the task that are still provisional stay on disk until their windows are judged, or the job ends.
      provisional?.delete(index);
    }
  }
  if (accepted.length > 0) {
    const { row } = job;
    transaction.jobs.change(job, {
      done: row.done + accepted.length - failed,
      failed: row.failed + failed,
      lastSeq: row.lastSeq + accepted.length,
      outputBytes: row.outputBytes + bytes,
      provisional: provisional?.size ?? 0,
    });
    if (job.hasSideRows) for (const index of accepted) dropSideRows(transaction, job, index);
    moveMark(transaction, job, accepted.length);
    passOn(transaction, job);
    finishIfEnded(transaction, job);
  }
  releaseClaims(transaction, job, outcomes);
  return { accepted, dropped, job: job.row };
}

/** Records a task's outcome, the only one of the task ([ONCE-1]); see EndedSets. @returns bytes of the stored outcome */
function record(transaction: Transaction, job: CachedJob, seq: number, outcome: NewOutcome): number {
  transaction.ended.of(job).add(outcome.index);
  if (outcome.state === "failed")
    return transaction.outcomes.addFailed(job.number, seq, outcome.index, outcome.failure);
  transaction.outcomes.addDone(job.number, seq, outcome.index, outcome.output, outcome.refs);
  const blobs = blobsOf(outcome.output, outcome.refs);
  if (blobs.length > 0) keepBlobs(transaction, job, blobs);
  return outcome.output instanceof Uint8Array ? outcome.output.length : 0;
}

function dropSideRows({ db }: Transaction, job: CachedJob, index: TaskIndex): void {
  db.run("DELETE FROM attempts WHERE job = ? AND idx = ?", job.number, index);
  db.run("DELETE FROM checkpoints WHERE job = ? AND idx = ?", job.number, index);
}

/**
 * Saves now and then, for the next start, which tasks have ended. The mark follows the claims from before this transaction: it
 * may be too low, never too high.
 */
function moveMark(transaction: Transaction, job: CachedJob, outcomes: number): void {
  if (!transaction.ended.count(job, outcomes) || transaction.reopened.has(job.number)) return;
  transaction.ended.save(job);
  const claims = transaction.claims.get(job.number);
  if (claims) transaction.jobs.mark(job, claims.lowWater());
}

function releaseClaims(transaction: Transaction, job: CachedJob, outcomes: readonly NewOutcome[]): void {
  const claims = transaction.claims.get(job.number);
  if (!claims) return;
  transaction.afterCommit(() => {
    for (const { index } of outcomes) claims.release(index);
  });
}
