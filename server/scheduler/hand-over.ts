import type { TaskIndex } from "../../shared/ids.ts";
import { mayRun } from "./assign.ts";
import type { HandedOver, Opinion } from "./events.ts";
import { isBarred } from "./leases.ts";
import { quorumOf } from "./quorum.ts";
import { removeTask } from "./settling.ts";
import type { Job, State, Task } from "./state.ts";

/** Tasks of a job that are looked at in one second. */
const lookahead = 256;
/** More cohorts than a task has opinions. */
const enoughCohorts = 16;
/** Opinions of a task that no server has claimed are remembered for this long. */
const rememberedMs = 5_000;

/**
 * Tasks that lack opinions which no client of this server can give go to the other servers, with the opinions that they have. Claims of their
 * jobs rest until the next second, so that this server is not the first to claim these tasks again.
 */
export function handOver(state: State): void {
  for (const job of state.jobs.values()) {
    if (quorumOf(job) === undefined || job.seconds.size === 0) continue;
    const cohorts = cohortsFor(state, job);
    if (cohorts === "any") continue;
    // Each server has an auditor of its own for disputed tasks.
    const mayLeave = (task: Task): boolean => !state.config.auditors || !job.disputed.has(task);
    const left = job.seconds
      .peek(lookahead)
      .filter((task) => mayLeave(task) && !canGive(cohorts, task.opinions!));
    if (left.length === 0) continue;
    const tasks = left.map((task) => letGo(state, task));
    if (!job.claiming) {
      job.claiming = true;
      state.resting.add(job.id);
    }
    state.out.push({ type: "handOver", job: job.id, tasks });
  }
}

/** Another server hands tasks over: they are claimed when a client of this server can give an opinion that they lack. */
export function takeOver(state: State, job: Job, tasks: readonly HandedOver[]): void {
  if (quorumOf(job) === undefined) return;
  const cohorts = cohortsFor(state, job);
  const among: TaskIndex[] = [];
  for (const { index, opinions } of tasks) {
    if (job.tasks.has(index)) continue;
    remember(state, job, index, opinions);
    if (cohorts === "any" || canGive(cohorts, opinions)) among.push(index);
  }
  if (among.length > 0) state.out.push({ type: "claimTasks", job: job.id, limit: among.length, among });
}

/** Forgets the opinions of tasks that other servers have claimed. */
export function forgetHandedOver(state: State): void {
  for (const job of state.jobs.values())
    for (const [index, at] of job.handedOver) {
      const isClaimed = job.tasks.has(index);
      if (!isClaimed && state.now - at < rememberedMs) continue;
      job.handedOver.delete(index);
      if (!isClaimed) job.opinions.delete(index);
    }
}

function letGo(state: State, task: Task): HandedOver {
  const { job, index } = task;
  const opinions = task.opinions!;
  removeTask(state, job, index);
  remember(state, job, index, opinions);
  return { index, opinions };
}

function remember(state: State, job: Job, index: TaskIndex, opinions: readonly Opinion[]): void {
  job.opinions.set(index, [...opinions]);
  job.handedOver.set(index, state.now);
}

/** The cohorts of the clients here that may compute the job; "any" with a trusted one, or with more cohorts than matter. */
function cohortsFor(state: State, job: Job): ReadonlySet<string> | "any" {
  const cohorts = new Set<string>();
  for (const client of state.clients.values()) {
    if (client.vanishedAt !== undefined || !mayRun(client, job) || isBarred(client, job)) continue;
    if (client.info.auditor) continue;
    if (client.info.trusted) return "any";
    cohorts.add(client.info.cohort);
    if (cohorts.size >= enoughCohorts) return "any";
  }
  return cohorts;
}

function canGive(cohorts: ReadonlySet<string>, opinions: readonly Opinion[]): boolean {
  const given = new Set(opinions.map(({ cohort }) => cohort));
  return [...cohorts].some((cohort) => !given.has(cohort));
}
