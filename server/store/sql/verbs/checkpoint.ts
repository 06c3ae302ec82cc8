import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { CheckpointAuthor } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import { checksum } from "../checksum.ts";
import { isActive, isOpen } from "./ending.ts";
import type { Step } from "../database.ts";

/** Keeps a checkpoint, unless its task has ended. */
export function* checkpoint(
  transaction: Transaction,
  id: JobId,
  index: TaskIndex,
  state: Uint8Array,
  by: CheckpointAuthor | undefined,
): Step<void> {
  const { db, jobs } = transaction;
  const job = yield* jobs.find(id);
  if (!job || !isActive(job) || !(yield* isOpen(transaction, job, index))) return;
  db.write(
    `INSERT INTO checkpoints (job, idx, state, client, cohort, crc) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (job, idx) DO UPDATE
     SET state = excluded.state, client = excluded.client, cohort = excluded.cohort, crc = excluded.crc`,
    job.number,
    index,
    state,
    by?.client ?? null,
    by?.cohort ?? null,
    checksum([job.number, index, state]),
  );
  job.hasSideRows = true;
  jobs.touch(job);
}
