import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

export function* setPriority({ jobs }: Transaction, id: JobId, priority: number): Step<JobRow> {
  const job = yield* jobs.need(id);
  if (job.row.priority !== priority) jobs.change(job, { priority });
  return job.row;
}
