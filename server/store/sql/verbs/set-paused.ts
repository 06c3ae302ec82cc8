import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

export function* setPaused({ jobs }: Transaction, id: JobId, paused: boolean): Step<JobRow> {
  const job = yield* jobs.need(id);
  if (job.row.paused !== paused) jobs.change(job, { paused });
  return job.row;
}
