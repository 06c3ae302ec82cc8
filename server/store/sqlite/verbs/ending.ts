import type { TaskIndex } from "../../../../shared/ids.ts";
import { hasEnded } from "../../../../shared/wire/rest.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { settleDependents } from "./dependents.ts";

/**
 * A closed job whose tasks have all ended is finished, unless it waits for another (a job without tasks does, too). What
 * waited for it goes on; of that, jobs without tasks are finished as well.
 */
export function finishIfEnded(transaction: Transaction, first: CachedJob): void {
  const queue = [first];
  for (let job = queue.pop(); job; job = queue.pop()) {
    const { state, done, failed, total, waitingFor } = job.row;
    if (state !== "closed" || done + failed < total || waitingFor.length > 0) continue;
    transaction.jobs.change(job, { state: "finished", endedAt: transaction.clock() });
    dropClaims(transaction, job);
    queue.push(...settleDependents(transaction, job));
  }
}

/** Nothing of this job will be claimed again, unless it is reopened. */
export function dropClaims(transaction: Transaction, job: CachedJob): void {
  transaction.afterCommit(() => {
    transaction.claims.delete(job.number);
    transaction.ended.drop(job);
  });
}

/** Whether there is such a task and it has no outcome. A claim proves that it exists without a look at the disk. */
export function isOpen({ claims, ended, tasks }: Transaction, job: CachedJob, index: TaskIndex): boolean {
  if (ended.of(job).has(index)) return false;
  return claims.get(job.number)?.has(index) === true || tasks.has(job.number, index);
}

/** Whether the job's open tasks may end. */
export function isActive({ row }: CachedJob): boolean {
  return !hasEnded(row.state);
}
