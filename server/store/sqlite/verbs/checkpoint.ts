import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { CheckpointAuthor } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import { isActive, isOpen } from "./ending.ts";

/** Keeps a checkpoint, unless its task has ended. */
export function checkpoint(
  transaction: Transaction,
  id: JobId,
  index: TaskIndex,
  state: Uint8Array,
  by: CheckpointAuthor | undefined,
): void {
  const { db, jobs } = transaction;
  const job = jobs.find(id);
  if (!job || !isActive(job) || !isOpen(transaction, job, index)) return;
  db.run(
    `INSERT INTO checkpoints (job, idx, state, client, cohort) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (job, idx) DO UPDATE SET state = excluded.state, client = excluded.client, cohort = excluded.cohort`,
    job.number,
    index,
    state,
    by?.client ?? null,
    by?.cohort ?? null,
  );
  job.hasSideRows = true;
}
