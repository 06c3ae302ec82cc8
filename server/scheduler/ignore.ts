import type { ClientId } from "../../shared/ids.ts";
import type { LeaseKey } from "../../shared/wire/protocol.ts";
import type { IgnoredEvent } from "./events.ts";
import type { Client, Job, State, Task } from "./state.ts";

/**
 * Tells the listener of an event, or a part of one, that does not fit the state and so changes nothing. A server has
 * a listener at log level debug only, and the story is built for a listener only.
 */
export function ignore(state: State, why: string, about: IgnoredEvent["about"]): void {
  state.config.onIgnored?.({ why, about, story: storyOf(state, about) });
}

/** Tells of a lease that the state does not hold for its client. */
export function ignoreLease(state: State, why: string, client: ClientId, lease: LeaseKey): void {
  const { job, index, attempt } = lease;
  ignore(state, why, { client, job, index, attempt });
}

function storyOf(state: State, { client, job: jobId, index }: IgnoredEvent["about"]): string {
  const parts: string[] = [];
  if (client !== undefined) parts.push(storyOfClient(state.clients.get(client), state.now));
  const job = jobId === undefined ? undefined : state.jobs.get(jobId);
  if (jobId !== undefined) parts.push(storyOfJob(job));
  if (job && index !== undefined) parts.push(storyOfTask(job, job.tasks.get(index), index));
  return parts.join("; ");
}

function storyOfClient(client: Client | undefined, now: number): string {
  if (!client) return "the client is unknown";
  const { vanishedAt, wanted, leases } = client;
  const where = vanishedAt === undefined ? "is connected" : `vanished ${Math.round(now - vanishedAt)} ms ago`;
  return `the client ${where}, wants ${wanted} tasks and holds ${leases.size} leases`;
}

function storyOfJob(job: Job | undefined): string {
  if (!job) return "the job is unknown, or has ended";
  const { tasks, queue, claimedBelow, exhausted } = job;
  const rest = exhausted ? "nothing more to claim" : "more to claim";
  return `the job has ${tasks.size} open tasks, ${queue.size} of them queued, is claimed below ${claimedBelow}, with ${rest}`;
}

function storyOfTask(job: Job, task: Task | undefined, index: number): string {
  if (!task) return `the task ${index < job.claimedBelow ? "has ended" : "is not claimed yet"}`;
  const leases = task.leases.map(({ client, attempt }) => `attempt ${attempt} of ${client}`).join(" and ");
  return `the task is ${task.place}${leases && ` (${leases})`} after ${task.attempts} attempts`;
}
