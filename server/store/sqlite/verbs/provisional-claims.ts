import type { TaskIndex } from "../../../../shared/ids.ts";
import type { CachedJob } from "../job-cache.ts";
import type { ProvisionalTasks } from "../provisional-tasks.ts";
import type { Transaction } from "../transaction.ts";

/**
 * Whether tasks with provisional results stay claimed, so that they are not handed out again ([VERIFY-2]). A quorum needs further results
 * of a task: its claim is held and given back as that of a task without results.
 */
export function keepsClaims({ row }: CachedJob): boolean {
  return typeof row.verify === "string";
}

/** The tasks whose claims their provisional results keep; undefined when there are none. */
export function keptClaims({ provisional }: Transaction, job: CachedJob): ProvisionalTasks | undefined {
  return job.row.provisional > 0 && keepsClaims(job) ? provisional.tasksOf(job) : undefined;
}

/** Claims tasks that got provisional results. */
export function claimProvisional(
  transaction: Transaction,
  job: CachedJob,
  indexes: readonly TaskIndex[],
): void {
  transaction.afterCommit(() => {
    const claims = transaction.claims.get(job.number);
    if (claims) for (const index of indexes) claims.add(index);
  });
}

/** Gives back the claims of tasks that have provisional results no longer, or need more of them. */
export function unclaimProvisional(
  transaction: Transaction,
  job: CachedJob,
  indexes: readonly TaskIndex[],
): void {
  transaction.afterCommit(() => {
    const claims = transaction.claims.get(job.number);
    if (claims) for (const index of indexes) claims.giveBack(index);
  });
}
