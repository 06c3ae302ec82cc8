import type { TaskIndex } from "../../shared/ids.ts";
import type { Checks, ProvisionalWindow } from "../store/store.ts";
import type { Opinion, SchedulerClientInfo } from "./events.ts";
import { loseCredit, putBack } from "./leases.ts";
import type { Client, Job, State, Task } from "./state.ts";
import { callAuditors } from "./who-audits.ts";
import { endTask } from "./windows.ts";

/** Tasks at the front of the queue among which one without an opinion of the client's cohort is looked for. */
const lookahead = 256;

/** Number of agreeing cohorts that a job asks for; undefined without a quorum. */
export function quorumOf({ info: { verify } }: Job): number | undefined {
  return typeof verify === "object" ? verify.quorum : undefined;
}

/** Takes up an opinion that an earlier server left. */
export function takeUpOpinion(
  state: State,
  { job: id, number, client, cohort, indexes }: ProvisionalWindow,
): void {
  const job = state.jobs.get(id);
  for (const index of indexes) {
    const opinion = { window: number, client, cohort };
    const opinions = job?.opinions.get(index);
    if (opinions) opinions.push(opinion);
    else job?.opinions.set(index, [opinion]);
  }
}

/** The store has an opinion; its task goes to another cohort, or to the verdict. */
export function noteOpinion(state: State, job: Job, index: TaskIndex, opinion: Opinion): void {
  const task = job.tasks.get(index);
  const quorum = quorumOf(job);
  if (quorum === undefined) {
    // The customer changed how the job is verified meanwhile.
    withdrawOpinion(state, job, index, opinion, { withdrawn: 1 });
    if (task) putBack(state, task);
    return;
  }
  const opinions = job.opinions.get(index) ?? [];
  job.opinions.set(index, [...opinions, opinion]);
  if (!task) {
    // The result came while its task was not claimed, and a claim that brought the task since then has skipped it: the next claim finds the opinion.
    job.exhausted = false;
    return void state.out.push({ type: "unclaimTasks", job: job.id, indexes: [index] });
  }
  task.opinions = job.opinions.get(index)!;
  if (task.opinions.length < quorum) return putBack(state, task);
  const windows = task.opinions.map(({ window }) => window);
  state.out.push({ type: "groupOutputs", job: job.id, index, windows, compare: job.info.compare });
}

/** The outputs of a task's opinions were compared; each group agrees. */
export function noteGroups(
  state: State,
  job: Job,
  index: TaskIndex,
  groups: readonly (readonly number[])[],
): void {
  const task = job.tasks.get(index);
  if (task?.place !== "settling") return;
  // The customer changed how the job is verified meanwhile.
  if (!task.opinions) return putBack(state, task);
  const { opinions } = task;
  const agreeing = groups.find((group) => countCohorts(opinions, group) >= quorumOf(job)!);
  if (agreeing) return accept(state, task, opinions, agreeing);
  job.disputed.add(task);
  putBack(state, task);
  callAuditors(state);
}

function countCohorts(opinions: readonly Opinion[], windows: readonly number[]): number {
  return new Set(opinions.flatMap(({ window, cohort }) => (windows.includes(window) ? [cohort] : []))).size;
}

/** Accepts one of the agreeing results, and withdraws the others. */
function accept(state: State, task: Task, opinions: readonly Opinion[], agreeing: readonly number[]): void {
  const { job, index } = task;
  const [accepted] = agreeing;
  const wrong = opinions.filter(({ window }) => !agreeing.includes(window));
  state.out.push({
    type: "acceptProvisional",
    job: job.id,
    window: accepted!,
    client: opinions.find(({ window }) => window === accepted)!.client,
    indexes: [index],
    agreed: [index],
    checks: { audited: 1, wrong: wrong.length },
  });
  for (const opinion of opinions)
    if (opinion.window !== accepted)
      withdrawOpinion(state, job, index, opinion, {}, agreeing.includes(opinion.window));
  for (const { client } of wrong) loseCredit(state, state.clients.get(client));
}

export function withdrawOpinion(
  state: State,
  job: Job,
  index: TaskIndex,
  { window, client }: Opinion,
  checks: Partial<Checks>,
  hasAgreed = false,
): void {
  state.out.push({
    type: "withdrawProvisional",
    job: job.id,
    window,
    client,
    indexes: undefined,
    results: [index],
    ...(hasAgreed && { agreed: true as const }),
    checks,
  });
}

/** The accepted opinion is the outcome of its task, or the task has another outcome. */
export function endQuorum(state: State, job: Job, index: TaskIndex): void {
  job.opinions.delete(index);
  endTask(state, job, index);
}

/** Takes a task that lacks an opinion of the client's cohort. */
export function chooseForOpinion(client: Client, job: Job): Task | undefined {
  for (const task of job.seconds.peek(lookahead)) {
    if (hasOpinion(task, client.info)) continue;
    job.seconds.take(task);
    return task;
  }
  return undefined;
}

/** A task on which more opinions than the quorum disagree, for the auditor. */
export function chooseDisputed(job: Job): Task | undefined {
  for (const task of job.disputed)
    if (task.place === "queued") {
      job.seconds.take(task);
      return task;
    }
  return undefined;
}

function hasOpinion({ opinions, leases }: Task, { trusted, cohort }: SchedulerClientInfo): boolean {
  return !trusted && (opinions?.some((opinion) => opinion.cohort === cohort) ?? false) && leases.length === 0;
}
