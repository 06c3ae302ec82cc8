import type { TaskIndex } from "../../../../shared/ids.ts";
import { hasEnded } from "../../../../shared/wire/rest/job-state.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { settleDependents } from "./dependents.ts";
import { dropClaims } from "./drop-claims.ts";
import { dropProvisional } from "./withdraw-provisional.ts";
import type { Step } from "../database.ts";

/**
 * Finishes a closed job whose tasks have all ended (or that has none), unless it waits for another job. Jobs that waited for it
 * go on, and those without open tasks are finished as well.
 */
export function* finishIfEnded(transaction: Transaction, first: CachedJob): Step<void> {
  const queue = [first];
  for (let job = queue.pop(); job; job = queue.pop()) {
    const { state, done, failed, total, waitingFor } = job.row;
    if (state !== "closed" || done + failed < total || waitingFor.length > 0) continue;
    transaction.jobs.change(job, { state: "finished", endedAt: transaction.clock() });
    yield* dropProvisional(transaction, job);
    dropClaims(transaction, job);
    queue.push(...(yield* settleDependents(transaction, job)));
  }
}

/** Whether a task exists and has no outcome. A claim proves that the task exists, without a query. */
export function* isOpen(
  { claims, ended, tasks }: Transaction,
  job: CachedJob,
  index: TaskIndex,
): Step<boolean> {
  if ((yield* ended.of(job)).has(index)) return false;
  return (yield* claims.find(job))?.has(index) === true || (yield* tasks.has(job.number, index));
}

/** Whether the job still takes outcomes. */
export function isActive({ row }: CachedJob): boolean {
  return !hasEnded(row.state);
}
