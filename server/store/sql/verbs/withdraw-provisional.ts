import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Statement } from "../../../../shared/wire/rest/verification.ts";
import type { Checks, JobRow } from "../../store.ts";
import type { CachedJob } from "../job-cache.ts";
import { withChecks } from "../statement.ts";
import type { Transaction } from "../transaction.ts";
import { keepsClaims, unclaimProvisional } from "./provisional-claims.ts";
import type { Step } from "../database.ts";

interface RemovedResults {
  readonly indexes: readonly TaskIndex[];
  /** Bytes of the outputs. */
  readonly bytes: number;
}

export function* withdrawProvisional(
  transaction: Transaction,
  id: JobId,
  window: number,
  indexes: readonly TaskIndex[] | undefined,
  checks?: Partial<Checks>,
): Step<{ reopened: TaskIndex[]; job: JobRow }> {
  const { jobs, provisional } = transaction;
  const job = yield* jobs.need(id);
  const removed = !job.hasProvisional
    ? { indexes: [], bytes: 0 }
    : indexes
      ? yield* provisional.remove(job, window, new Set(indexes))
      : all(yield* provisional.take(job, window));
  if (removed.indexes.length === 0) return { reopened: [], job: job.row };
  const reopened = yield* forgetResults(
    transaction,
    job,
    window,
    removed,
    withChecks(job.row.statement, checks),
  );
  return { reopened, job: job.row };
}

function all(packs: readonly RemovedResults[]): RemovedResults {
  return {
    indexes: packs.flatMap(({ indexes }) => indexes),
    bytes: packs.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/**
 * Takes removed results of a window out of the counts of the job, and gives back the claims of their tasks.
 * @returns the tasks without an outcome and without another provisional result
 */
export function* forgetResults(
  transaction: Transaction,
  job: CachedJob,
  window: number,
  { indexes, bytes }: RemovedResults,
  statement: Statement,
): Step<TaskIndex[]> {
  const tasks = yield* transaction.provisional.tasksOf(job);
  const reopened = indexes.filter((index) => tasks.remove(index, window));
  transaction.jobs.change(job, {
    provisional: tasks.size,
    outputBytes: job.row.outputBytes - bytes,
    statement,
  });
  // The result may be wrong because its checkpoint was.
  if (job.hasSideRows)
    for (const index of reopened)
      transaction.db.write("DELETE FROM checkpoints WHERE job = ? AND idx = ?", job.number, index);
  if (reopened.length > 0 && keepsClaims(job)) yield* unclaimProvisional(transaction, job, reopened);
  return reopened;
}

/** Removes the provisional results of a job that takes no more outcomes. */
export function* dropProvisional(transaction: Transaction, job: CachedJob): Step<void> {
  if (!job.hasProvisional) return transaction.provisional.forget(job);
  const bytes = yield* transaction.provisional.removeAll(job);
  transaction.jobs.change(job, { provisional: 0, outputBytes: job.row.outputBytes - bytes });
  job.hasProvisional = false;
}
