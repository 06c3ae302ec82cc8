import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Transaction } from "../transaction.ts";
import { isActive, isOpen } from "./ending.ts";

/** A checkpoint of a task that has ended is not kept. */
export function checkpoint(transaction: Transaction, id: JobId, index: TaskIndex, state: Uint8Array): void {
  const { db, jobs } = transaction;
  const job = jobs.find(id);
  if (!job || !isActive(job) || !isOpen(transaction, job, index)) return;
  db.run(
    `INSERT INTO checkpoints (job, idx, state) VALUES (?, ?, ?)
     ON CONFLICT (job, idx) DO UPDATE SET state = excluded.state`,
    job.number,
    index,
    state,
  );
  job.hasSideRows = true;
}
