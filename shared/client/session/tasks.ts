import type { BlobName } from "../../data-reference.ts";
import type { Sha256 } from "../../ids.ts";
import type { LeaseKey } from "../../wire/protocol.ts";
import { limits } from "../../limits.ts";
import { gone, keyOf, queued, send, type HeldJob, type HeldTask, type SessionState } from "./state.ts";

/** Number of leases that are not finished. */
export function heldCount(state: SessionState): number {
  let count = 0;
  for (const { tasks } of state.jobs.values()) count += tasks.size;
  return count;
}

/** Blobs that held tasks need. */
export function* heldBlobs(state: Readonly<SessionState>): Generator<BlobName, void, undefined> {
  for (const { tasks, descriptor } of state.jobs.values()) {
    if (tasks.size > 0) yield descriptor.kernel;
    for (const task of tasks.values()) yield* blobsOf(task);
  }
}

/** Blobs of a task without data: most tasks have none, and share this array. */
const noBlobs: readonly BlobName[] = [];

function blobsOf({ task: { input, refs = noBlobs } }: HeldTask): readonly BlobName[] {
  return input instanceof Uint8Array ? refs : [input, ...refs];
}

/** Has the data of a task fetched (SPEC.md [TRANSFER-4]). */
export function fetchData(state: SessionState, task: HeldTask): void {
  const blobs = blobsOf(task);
  if (blobs.length === 0) return;
  const { input } = task.task;
  const hasRanges = input instanceof Uint8Array && blobs.some(({ size }) => size > limits.wholeBytes);
  state.out.push({ type: "fetchQueued", lease: keyOf(task), blobs, ...(hasRanges && { input }) });
}

/** Has the data of all tasks of a job fetched from now on, those that wait for a slot included. */
export function fetchAhead(state: SessionState, job: HeldJob): void {
  if (job.isFetchedAhead) return;
  job.isFetchedAhead = true;
  for (const task of job.queue.list()) fetchData(state, task);
}

/** Whether a task needs a blob besides its kernel. */
export function needs(task: HeldTask, sha256: Sha256): boolean {
  return blobsOf(task).some((blob) => blob.sha256 === sha256);
}

/** Whether the client holds a lease of the task that is not finished. */
export function isHeld(state: SessionState, { job, index }: LeaseKey): boolean {
  return state.jobs.get(job)?.tasks.has(index) === true;
}

/** Removes a task from its job, its bundle and the pending checkpoints. */
export function forget(state: SessionState, task: HeldTask): void {
  const { place, job, checkpoint } = task;
  const { index } = task.task;
  if (place.state === "queued") state.queuedTasks--;
  if (place.state === "bundled") place.remaining.delete(index);
  if (job.tasks.get(index) === task) job.tasks.delete(index);
  // The session remembers the job, and its queue would keep the inputs of its tasks with the frames in which they came.
  if (job.tasks.size === 0) job.queue.clear();
  if (checkpoint) state.checkpointsPending.delete(task);
  task.place = gone;
}

/** Puts a task to the front of its job's queue, with its newest checkpoint. */
export function requeue(state: SessionState, task: HeldTask): void {
  task.place = queued;
  state.queuedTasks++;
  const { checkpoint } = task;
  if (checkpoint) task.task = { ...task.task, resume: checkpoint.state };
  task.job.queue.pushAgain(task);
}

/** Hands back every task that waits for a slot. */
export function releaseQueued(state: SessionState): void {
  if (state.queuedTasks === 0) return;
  const waiting: HeldTask[] = [];
  for (const job of state.jobs.values()) if (job.tasks.size > 0) waiting.push(...job.queue.list());
  releaseTasks(state, waiting);
}

/** Hands back the newest `count` of the tasks that wait for a slot. */
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

/** Hands back tasks that no slot runs. */
export function releaseTasks(state: SessionState, tasks: readonly HeldTask[]): void {
  if (tasks.length === 0) return;
  const leases: LeaseKey[] = tasks.map(keyOf);
  for (const task of tasks) forget(state, task);
  // Without a connection no release is needed: the server takes back every lease that the next hello does not name.
  if (state.connection.state === "connected") send(state, { type: "release", leases });
  if (state.connection.state === "greeting") state.connection.released.push(...leases);
}

export function forgetQueued(state: SessionState): void {
  for (const job of state.jobs.values()) for (const task of job.queue.list()) forget(state, task);
}
