import type { JobId, TaskIndex } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { JobDescriptor, LeasedTask, LeaseKey } from "../../wire/protocol.ts";
import { forgetResult, redeliver } from "./delivery.ts";
import { rerunBundle } from "./bundles.ts";
import { ignore } from "./ignore.ts";
import {
  keyOf,
  newJob,
  queued,
  send,
  type Bundle,
  type HeldJob,
  type HeldTask,
  type SessionState,
} from "./state.ts";
import { fetchData, forget, heldCount } from "./tasks.ts";

/** Jobs without a lease are kept, for their measured run times, up to about this many. */
const jobsRemembered = 256;

export function takeLease(
  state: SessionState,
  descriptor: JobDescriptor,
  tasks: readonly LeasedTask[],
): void {
  const job = jobOf(state, descriptor);
  const refused: LeaseKey[] = [];
  // Leases may have left the server before this client's last `want` arrived.
  let room = state.mode === "running" ? limits.tasksHeldPerClient - heldCount(state) : 0;
  for (const task of tasks) {
    const { index, attempt } = task;
    const held = job.tasks.get(index);
    // A second lease of a held task: the server took the first one back without this client's notice.
    if (held) renew(state, held, task);
    else if (redeliver(state, job.id, index, attempt)) continue;
    else if (room-- > 0) addTask(state, job, task);
    else refused.push({ job: job.id, index, attempt });
  }
  if (refused.length > 0) send(state, { type: "release", leases: refused });
}

function addTask(state: SessionState, job: HeldJob, task: LeasedTask): void {
  const held: HeldTask = {
    job,
    task,
    attempt: task.attempt,
    alone: false,
    queuedAt: state.now,
    place: queued,
    checkpoint: undefined,
  };
  if (job.tasks.size === 0)
    state.out.push({ type: "fetchQueued", lease: keyOf(held), blobs: [job.descriptor.kernel] });
  job.tasks.set(task.index, held);
  job.queue.push(held);
  state.queuedTasks++;
  const bytes = task.input instanceof Uint8Array ? task.input.length : 0;
  state.meanInputBytes += (bytes - state.meanInputBytes) / 16;
  if (job.isFetchedAhead) fetchData(state, held);
}

function renew(state: SessionState, held: HeldTask, task: LeasedTask): void {
  if (task.attempt <= held.attempt)
    return ignore(state, `attempt ${task.attempt} of task ${task.index} is not newer than the held one`);
  held.attempt = task.attempt;
  if (held.place.state === "queued") held.task = task;
}

function jobOf(state: SessionState, descriptor: JobDescriptor): HeldJob {
  let job = state.jobs.get(descriptor.id);
  if (!job) {
    pruneJobs(state);
    state.jobs.set(descriptor.id, (job = newJob(descriptor, state.now)));
  }
  job.descriptor = descriptor;
  job.usedAt = state.now;
  return job;
}

function pruneJobs(state: SessionState): void {
  if (state.jobs.size < jobsRemembered) return;
  const empty = [...state.jobs.values()].filter(({ tasks }) => tasks.size === 0);
  empty.sort((a, b) => a.usedAt - b.usedAt);
  for (const { id } of empty.slice(0, jobsRemembered / 2)) state.jobs.delete(id);
}

/** Stops tasks whose leases this client has lost, and forgets their results. */
export function dropLeases(state: SessionState, leases: readonly LeaseKey[]): void {
  const stopped: HeldTask[] = [];
  for (const { job, index, attempt } of leases) {
    const held = state.jobs.get(job)?.tasks.get(index);
    if (held?.attempt === attempt) stopped.push(held);
    forgetResult(state, job, index, attempt);
  }
  stopTasks(state, stopped);
}

/** Stops tasks, and forgets their results; of the whole job without `indexes`. */
export function cancelTasks(state: SessionState, id: JobId, indexes: readonly TaskIndex[] | undefined): void {
  const tasks = state.jobs.get(id)?.tasks;
  const stopped = indexes ? indexes.map((index) => tasks?.get(index)) : [...(tasks?.values() ?? [])];
  const held = stopped.filter((task) => task !== undefined);
  let here = held.length;
  for (const index of indexes ?? [...(state.outbox.get(id)?.keys() ?? [])])
    if (forgetResult(state, id, index)) here++;
  if (here === 0) ignore(state, "none of the tasks is here");
  stopTasks(state, held);
}

/** Ends the sandboxes that compute any of the tasks; the other tasks of their bundles run again. */
function stopTasks(state: SessionState, tasks: readonly HeldTask[]): void {
  const disturbed = new Set<Bundle>();
  for (const task of tasks) {
    if (task.place.state === "bundled") disturbed.add(task.place);
    forget(state, task);
  }
  for (const bundle of disturbed) rerunBundle(state, bundle);
}
