import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Transaction } from "../transaction.ts";
import { isActive, isOpen } from "./ending.ts";

/** Skips tasks that have ended or never existed, whose count does not matter. */
export function recordAttempts(
  transaction: Transaction,
  id: JobId,
  attempts: readonly { index: TaskIndex; attempts: number }[],
): void {
  const { db, jobs } = transaction;
  const job = jobs.find(id);
  if (!job || !isActive(job)) return;
  for (const { index, attempts: count } of attempts) {
    if (!isOpen(transaction, job, index)) continue;
    db.run(
      `INSERT INTO attempts (job, idx, attempts) VALUES (?, ?, ?)
       ON CONFLICT (job, idx) DO UPDATE SET attempts = excluded.attempts`,
      job.number,
      index,
      count,
    );
    job.hasSideRows = true;
  }
}
