import { isBarred } from "./leases.ts";
import { suits } from "./requirements.ts";
import { removeTask } from "./settling.ts";
import type { Client, Job, State } from "./state.ts";
import { hasHadItsSay } from "./verdict.ts";

/** Whether a client of this server computes tasks of the job, now or when it has room (SPEC.md [SERVERS-9]). */
export function isComputed(state: State, job: Job): boolean {
  if (state.uncomputed.has(job)) return false;
  for (const client of state.clients.values()) if (computes(state, client, job)) return true;
  state.uncomputed.add(job);
  return false;
}

/** An auditor takes none of the tasks that wait for others. */
function computes(state: State, client: Client, job: Job): boolean {
  const { info, vanishedAt, wanted, drained } = client;
  if (vanishedAt !== undefined || wanted === 0 || drained || info.auditor === true) return false;
  return suits(info, job.info) && !isBarred(client, job) && !hasHadItsSay(state, client, job);
}

/** Gives back the queued tasks of jobs that no client of this server computes, for other servers to claim. */
export function giveBackUncomputed(state: State): void {
  if (state.config.shared !== true) return;
  for (const job of state.jobs.values()) {
    if (job.queue.size === 0 || isComputed(state, job)) continue;
    const indexes = [...job.queue].map(({ index }) => index);
    for (const index of indexes) removeTask(state, job, index);
    job.exhausted = false;
    state.out.push({ type: "unclaimTasks", job: job.id, indexes });
  }
}
