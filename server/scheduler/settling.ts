import type { TaskIndex } from "../../shared/ids.ts";
import type { ClientId } from "../../shared/ids.ts";
import { queueOf, removeLease } from "./leases.ts";
import type { Job, State, Task } from "./state.ts";

/** The task's outcome is on its way to disk: its other leases are cancelled. */
export function settle(state: State, task: Task, by: ClientId | undefined): void {
  if (task.place === "queued") queueOf(task).take(task);
  task.job.disputed.delete(task);
  if (task.failures) task.job.suspects.delete(task);
  task.job.overdue.delete(task);
  for (const lease of task.leases) {
    removeLease(state, lease, lease.client === by ? undefined : "cancelled");
    if (lease.client !== by)
      state.out.push({ type: "sendCancel", client: lease.client, job: task.job.id, indexes: [task.index] });
  }
  task.place = "settling";
}

/**
 * Removes a task that has ended, wherever it is: an outcome that the store refused may have put the task back, and
 * another copy of the same result was then taken.
 */
export function removeTask(state: State, job: Job, index: number): void {
  const task = job.tasks.get(index);
  if (!task) return;
  settle(state, task, undefined);
  job.tasks.delete(index);
  // The window goes on with the next second.
  task.audit?.window.pending.delete(index);
}

/** Ends tasks as failed whose stored inputs are damaged: no client can compute them. */
export function endDamaged(state: State, job: Job, indexes: readonly TaskIndex[]): void {
  const message =
    "The stored input of the task is damaged on the server's disk. Submit the input again, in another job, or have the server's administrator restore a backup.";
  for (const index of indexes) job.endingUnclaimed.set(index, (job.endingUnclaimed.get(index) ?? 0) + 1);
  state.out.push({
    type: "storeOutcomes",
    job: job.id,
    outcomes: indexes.map((index) => ({
      state: "failed",
      index,
      failure: { index, kind: "data", message, attempts: 0 },
    })),
    acknowledge: [],
  });
}

/**
 * Counts down outcomes or provisional results of unclaimed tasks, which the store has answered.
 * @returns the tasks among them that were unclaimed
 */
export function endUnclaimedOf(job: Job, indexes: readonly number[]): number[] {
  if (job.endingUnclaimed.size === 0) return [];
  return indexes.filter((index) => endUnclaimed(job, index));
}

/** Tells the other servers, one of which has claimed these tasks, that they have ended. */
export function tellEnded({ config, out }: State, { id }: Job, indexes: readonly number[]): void {
  if (config.shared === true && indexes.length > 0) out.push({ type: "tellEnded", job: id, indexes });
}

/** Counts down the outcomes of an unclaimed task that are on their way to disk. False when there is none. */
export function endUnclaimed(job: Job, index: number): boolean {
  const count = job.endingUnclaimed.get(index);
  if (count === undefined) return false;
  if (count > 1) job.endingUnclaimed.set(index, count - 1);
  else job.endingUnclaimed.delete(index);
  return true;
}
