import type { TaskIndex } from "../../../../shared/ids.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { tell } from "./dependents.ts";
import { fedBy } from "./fed-jobs.ts";
import { rememberOpen } from "./reopening.ts";
import type { Step } from "../database.ts";

/**
 * Takes back the failures that tasks of fed jobs got because these tasks of their source had failed, down the whole line ([FEED-3]). A fed job that
 * had all outcomes of its source is open again.
 */
export function* takeBack(
  transaction: Transaction,
  source: CachedJob,
  indexes: readonly TaskIndex[],
): Step<void> {
  const queue = [source];
  for (let next = queue.pop(); next; next = queue.pop())
    for (const job of yield* fedBy(transaction, next))
      if (yield* forget(transaction, job, indexes)) queue.push(job);
}

/** @returns whether the job had any of these failures */
function* forget(transaction: Transaction, job: CachedJob, indexes: readonly TaskIndex[]): Step<boolean> {
  const { db, jobs, ended } = transaction;
  const found: TaskIndex[] = [];
  let bytes = 0;
  for (const index of indexes) {
    const row = yield* db.get<{ seq: number }>(
      "DELETE FROM inputless WHERE job = ? AND idx = ? RETURNING seq",
      job.number,
      index,
    );
    if (!row) continue;
    found.push(index);
    bytes += (yield* db.get<{ bytes: number }>(
      "DELETE FROM outcomePacks WHERE job = ? AND seq = ? RETURNING octet_length(failure) AS bytes",
      job.number,
      row.seq,
    ))!.bytes;
  }
  if (found.length === 0) return false;
  yield* ended.reopen(job, found);
  const { state, total, failed, outputBytes } = job.row;
  jobs.change(job, {
    total: total - found.length,
    failed: failed - found.length,
    outputBytes: outputBytes - bytes,
  });
  if (state === "closed" || state === "finished") jobs.change(job, { state: "open", endedAt: undefined });
  else if (state !== "open") rememberOpen(transaction, job);
  tell(transaction, job);
  return true;
}
