import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId } from "../../../../shared/ids.ts";
import type { Compare, Verify } from "../../../../shared/wire/rest/verification.ts";
import type { Checks, JobRow } from "../../store.ts";
import { withChecks } from "../statement.ts";
import type { Transaction } from "../transaction.ts";
import { isActive } from "./ending.ts";
import { claimProvisional, keepsClaims, unclaimProvisional } from "./provisional-claims.ts";
import type { Step } from "../database.ts";

export function* noteChecks({ jobs }: Transaction, id: JobId, checks: Partial<Checks>): Step<JobRow> {
  const job = yield* jobs.need(id);
  jobs.change(job, { statement: withChecks(job.row.statement, checks) });
  return job.row;
}

/** Changes the options of the job's row; those that the job was made with stay, for its key ([KEY-1]). */
export function* setVerify(
  transaction: Transaction,
  id: JobId,
  { verify, compare }: { verify: Verify; compare: Compare },
): Step<JobRow> {
  const { db, jobs } = transaction;
  const job = yield* jobs.need(id);
  if (!isActive(job))
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${id} is ${job.row.state}, and its results are not verified any more. Expected a job that has not ended.`,
    );
  const kept = keepsClaims(job);
  db.write(
    "UPDATE jobs SET changedOptions = ? WHERE number = ?",
    JSON.stringify({ verify, compare }),
    job.number,
  );
  jobs.change(job, { verify, compare, statement: { ...job.row.statement, irreproducible: false } });
  if (kept === keepsClaims(job)) return job.row;
  const indexes = [...(yield* transaction.provisional.tasksOf(job)).indexes()];
  if (kept) yield* unclaimProvisional(transaction, job, indexes);
  else yield* claimProvisional(transaction, job, indexes);
  return job.row;
}
