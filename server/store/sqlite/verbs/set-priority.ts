import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Session } from "../session.ts";

export function setPriority({ jobs }: Session, id: JobId, priority: number): JobRow {
  const job = jobs.need(id);
  if (job.row.priority !== priority) jobs.change(job, { priority });
  return job.row;
}
