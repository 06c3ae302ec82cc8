import type { BlobName } from "../../data-reference.ts";
import type { LeaseKey } from "../../wire/protocol.ts";
import { gone, keyOf, queued, send, type HeldTask, type SessionState } from "./state.ts";

/** Leases that are not finished. */
export function heldCount(state: SessionState): number {
  let count = 0;
  for (const { tasks } of state.jobs.values()) count += tasks.size;
  return count;
}

/** Blobs that the leases here need. */
export function* heldBlobs(state: Readonly<SessionState>): Generator<BlobName, void, undefined> {
  for (const { tasks, descriptor } of state.jobs.values()) {
    if (tasks.size > 0) yield descriptor.kernel;
    for (const { task } of tasks.values()) {
      if (!(task.input instanceof Uint8Array)) yield task.input;
      yield* task.refs ?? [];
    }
  }
}

/** Takes a task out of everything. */
export function forget(state: SessionState, task: HeldTask): void {
  const { place, job, checkpoint } = task;
  const { index } = task.task;
  if (place.state === "queued") state.queuedTasks--;
  if (place.state === "bundled") place.remaining.delete(index);
  if (job.tasks.get(index) === task) job.tasks.delete(index);
  if (checkpoint) state.checkpointsPending.delete(task);
  task.place = gone;
}

/** Back to the front of its job's queue, with what it has saved of its work. */
export function requeue(state: SessionState, task: HeldTask): void {
  task.place = queued;
  state.queuedTasks++;
  const { checkpoint } = task;
  if (checkpoint) task.task = { ...task.task, resume: checkpoint.state };
  task.job.queue.pushAgain(task);
}

/** Hands back what waits for a slot. */
export function releaseQueued(state: SessionState): void {
  if (state.queuedTasks === 0) return;
  const waiting: HeldTask[] = [];
  for (const job of state.jobs.values()) if (job.tasks.size > 0) waiting.push(...job.queue.list());
  releaseTasks(state, waiting);
}

/** Hands back the newest `count` of those that wait for a slot. */
export function releaseNewest(state: SessionState, count: number): void {
  const newest: HeldTask[] = [];
  for (const job of [...state.jobs.values()].reverse())
    while (newest.length < count) {
      const task = job.queue.takeLast();
      if (!task) break;
      newest.push(task);
    }
  releaseTasks(state, newest);
}

/** Hands back tasks that no slot works on. */
export function releaseTasks(state: SessionState, tasks: readonly HeldTask[]): void {
  if (tasks.length === 0) return;
  const leases: LeaseKey[] = tasks.map(keyOf);
  for (const task of tasks) forget(state, task);
  // Without a connection nothing needs to be said: what the next hello does not name goes back to the queue.
  if (state.connection.state === "connected") send(state, { type: "release", leases });
  if (state.connection.state === "greeting") state.connection.released.push(...leases);
}

export function forgetQueued(state: SessionState): void {
  for (const job of state.jobs.values()) for (const task of job.queue.list()) forget(state, task);
}
