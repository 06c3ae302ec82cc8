import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Transaction } from "../transaction.ts";
import { isActive, isOpen } from "./ending.ts";
import type { Step } from "../database.ts";

/** Skips tasks that have ended or never existed, whose count does not matter. */
export function* recordAttempts(
  transaction: Transaction,
  id: JobId,
  attempts: readonly { index: TaskIndex; attempts: number }[],
): Step<void> {
  const { db, jobs } = transaction;
  const job = yield* jobs.find(id);
  if (!job || !isActive(job)) return;
  for (const { index, attempts: count } of attempts) {
    if (!(yield* isOpen(transaction, job, index))) continue;
    db.write(
      `INSERT INTO attempts (job, idx, attempts) VALUES (?, ?, ?)
       ON CONFLICT (job, idx) DO UPDATE SET attempts = excluded.attempts`,
      job.number,
      index,
      count,
    );
    job.hasSideRows = true;
    jobs.touch(job);
  }
}
