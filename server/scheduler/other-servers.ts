import type { ClientId, TaskIndex } from "../../shared/ids.ts";
import { forget, forgetAllAdopted } from "./clients.ts";
import { removeLease, requeue } from "./leases.ts";
import { removeTask } from "./settling.ts";
import { newJob, type Job, type State } from "./state.ts";
import { endTask, forgetWindow } from "./windows.ts";

/** Asks for the claims of tasks of the job whose leases clients brought along from another server. */
export function claimAdopted(state: State, job: Job): void {
  if (state.config.shared !== true || job.adopted.size === 0) return;
  state.out.push({
    type: "claimTasks",
    job: job.id,
    limit: job.adopted.size,
    among: [...job.adopted.keys()],
  });
}

/**
 * The client is at another server now, with its leases: their tasks leave the schedule, for that server to claim. Claims of the jobs rest until
 * the next second, so that this server is not the first to claim these tasks again.
 */
export function moveClient(state: State, id: ClientId): void {
  const client = state.clients.get(id);
  if (!client) return;
  const left = new Map<Job, TaskIndex[]>();
  for (const lease of client.leases) {
    const { task } = lease;
    const { job, index } = task;
    removeLease(state, lease);
    if (task.audit || task.opinions || task.leases.length > 0 || task.place !== "leased") {
      requeue(state, task);
      continue;
    }
    job.overdue.delete(task);
    job.tasks.delete(index);
    const indexes = left.get(job);
    if (indexes) indexes.push(index);
    else left.set(job, [index]);
  }
  forgetAllAdopted(state, id);
  forget(state, client);
  for (const [job, indexes] of left) {
    if (!job.claiming) {
      job.claiming = true;
      state.resting.add(job.id);
    }
    state.out.push({ type: "unclaimTasks", job: job.id, indexes });
  }
}

/** Lets jobs be claimed again that rested since clients left with their tasks. */
export function endRest(state: State): void {
  for (const id of state.resting) {
    const job = state.jobs.get(id);
    if (job) {
      job.claiming = false;
      job.exhausted = false;
    }
  }
  state.resting.clear();
}

/** Tasks that this server has claimed ended by results that came to another server. */
export function endElsewhere(state: State, job: Job, indexes: readonly TaskIndex[]): void {
  for (const index of indexes) {
    const adopted = job.adopted.get(index);
    if (adopted) {
      job.adopted.delete(index);
      state.out.push({ type: "sendCancel", client: adopted.client, job: job.id, indexes: [index] });
    }
    // The store's answer ends a task whose result is on its way to the store.
    if (job.tasks.get(index)?.place !== "settling") endTask(state, job, index);
  }
}

/**
 * The others took this server for dead: its claims and windows are theirs. The clients that are connected go on with their tasks, as those
 * of another server would.
 */
export function loseClaims(state: State, firstWindow: number): void {
  state.nextWindow = firstWindow;
  state.resting.clear();
  for (const [id, job] of state.jobs) {
    for (const window of job.windows.values()) forgetWindow(state, window);
    const { info, highestAttempt, usual, meanMs, inputBytes, auditBytes, reading, adopted } = job;
    for (const task of job.tasks.values()) {
      if (task.audit) removeTask(state, job, task.index);
      for (const lease of task.leases) {
        removeLease(state, lease);
        adopted.set(task.index, { client: lease.client, attempt: lease.attempt });
      }
    }
    const kept = { usual, meanMs, inputBytes, auditBytes, reading, adopted, everDone: job.everDone };
    const fresh: Job = { ...newJob(info, highestAttempt), ...kept, endingUnclaimed: job.endingUnclaimed };
    state.jobs.set(id, fresh);
    state.unmet.delete(job);
    state.uncomputed.delete(job);
    claimAdopted(state, fresh);
  }
  state.supplyChanged = true;
}
