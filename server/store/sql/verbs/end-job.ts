import type { JobId } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest/failures.ts";
import type { JobRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import { settleDependents } from "./dependents.ts";
import { dropClaims } from "./drop-claims.ts";
import { isActive } from "./ending.ts";
import { rememberState } from "./reopening.ts";
import { dropProvisional } from "./withdraw-provisional.ts";
import type { Step } from "../database.ts";

export function* endJob(
  transaction: Transaction,
  id: JobId,
  as: "cancelled" | "quarantined",
  reason?: TaskFailure,
): Step<JobRow> {
  const job = yield* transaction.jobs.need(id);
  // A blocked job is cancelled as well, because it would otherwise go on by itself.
  if (!isActive(job) && !(as === "cancelled" && job.row.state === "blocked")) return job.row;
  if (as === "quarantined") rememberState(transaction, job);
  transaction.jobs.change(job, { state: as, endedAt: transaction.clock(), reason });
  if (job.hasSideRows) transaction.db.write("DELETE FROM checkpoints WHERE job = ?", job.number);
  yield* dropProvisional(transaction, job);
  dropClaims(transaction, job);
  yield* settleDependents(transaction, job);
  return job.row;
}
