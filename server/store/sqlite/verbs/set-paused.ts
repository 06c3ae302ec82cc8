import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";

export function setPaused({ jobs }: Transaction, id: JobId, paused: boolean): JobRow {
  const job = jobs.need(id);
  if (job.row.paused !== paused) jobs.change(job, { paused });
  return job.row;
}
