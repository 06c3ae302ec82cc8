import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Session } from "../session.ts";
import { finishIfEnded } from "./ending.ts";

export function closeJob(session: Session, id: JobId): JobRow {
  const job = session.jobs.need(id);
  if (job.row.state === "open") {
    session.jobs.change(job, { state: "closed" });
    finishIfEnded(session, job);
  }
  return job.row;
}
