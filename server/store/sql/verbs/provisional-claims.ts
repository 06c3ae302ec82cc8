import type { TaskIndex } from "../../../../shared/ids.ts";
import type { Step } from "../database.ts";
import type { CachedJob } from "../job-cache.ts";
import type { ProvisionalPacks } from "../provisional-packs.ts";
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
export function* keptClaims(
  provisional: ProvisionalPacks,
  job: CachedJob,
): Step<ProvisionalTasks | undefined> {
  return job.row.provisional > 0 && keepsClaims(job) ? yield* provisional.tasksOf(job) : undefined;
}

/** Claims tasks that got provisional results. */
export function claimProvisional(
  { claims }: Transaction,
  job: CachedJob,
  indexes: readonly TaskIndex[],
): Step<void> {
  return claims.change(job, (held) => {
    for (const index of indexes) held.keep(index);
  });
}

/** Gives back the claims of tasks that have provisional results no longer, or need more of them. */
export function unclaimProvisional(
  { claims }: Transaction,
  job: CachedJob,
  indexes: readonly TaskIndex[],
): Step<void> {
  return claims.change(job, (held) => {
    for (const index of indexes) held.giveBack(index);
  });
}
