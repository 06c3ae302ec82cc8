import type { JobId } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest.ts";
import type { JobRow } from "../../store.ts";
import type { Session } from "../session.ts";
import { settleDependents } from "./dependents.ts";
import { dropClaims, isActive } from "./ending.ts";
import { rememberState } from "./reopening.ts";

export function endJob(
  session: Session,
  id: JobId,
  as: "cancelled" | "quarantined",
  reason?: TaskFailure,
): JobRow {
  const job = session.jobs.need(id);
  // A blocked job would go on by itself; cancelled, it does not.
  if (!isActive(job) && !(as === "cancelled" && job.row.state === "blocked")) return job.row;
  if (as === "quarantined") rememberState(session, job);
  session.jobs.change(job, { state: as, endedAt: session.clock(), reason });
  if (job.hasSideRows) session.db.run("DELETE FROM checkpoints WHERE job = ?", job.number);
  dropClaims(session, job);
  settleDependents(session, job);
  return job.row;
}
