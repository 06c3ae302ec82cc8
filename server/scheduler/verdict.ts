import type { ClientId } from "../../shared/ids.ts";
import type { FailureKind } from "../../shared/wire/protocol.ts";
import type { TaskFailure } from "../../shared/wire/rest.ts";
import { likenessOf } from "./likeness.ts";
import { meets } from "./requirements.ts";
import type { Client, Evidence, Job, State, Task } from "./state.ts";

/**
 * What a failed attempt means: for its task another attempt or the end, for its job nothing or the end (SPEC.md [FAIL-3],
 * [FAIL-4], [FAIL-7], [FAIL-8]). Everything that ends a task or a job because of what clients said is decided here.
 */

/**
 * A job stops early when so many of its tasks failed alike and none was done. A kernel that fails on half of its inputs fails
 * on the first 16 in one job of 65,536, one that fails on four of five in one of 36. As many as assignment looks ahead, so a
 * single slot tries that many tasks before any of them twice.
 */
const alikeTasks = 16;
/** And on so many clients, when so many are there: one alone may be the broken one. */
const alikeClients = 2;
/** Sorts of failures remembered of a job: one that fails in more ways does not fail alike. */
const maxSorts = 8;
/** So long the word of clients that have not tried the job yet is waited for; of those that compute a task of it, until it ends. */
const secondOpinionMs = 60_000;

/** A failure that another attempt would only repeat, with the reason that its customer reads. */
const repeats: Partial<Record<FailureKind, string>> = {
  unserialisable: "Not tried again: the same input gives the same value on every client.",
};

type AttemptFailure = Omit<TaskFailure, "index" | "attempts">;

/** The task's final failure, or undefined while it deserves another attempt. */
export function judgeTask(state: State, task: Task, failure: AttemptFailure): TaskFailure | undefined {
  const { attempts, index, job } = task;
  const killed = task.killed?.size ?? 0;
  if (killed >= state.config.quarantineAfter) {
    const message = `Quarantined: the task took down ${killed} distinct clients. Last: ${failure.message}`;
    return { ...failure, kind: "quarantined", message, index, attempts };
  }
  const why = whyFinal(state, job, failure);
  if (why !== undefined) return { ...failure, message: `${failure.message} ${why}`, index, attempts };
  if (attempts < job.info.maxAttempts || task.leases.length > 0) return undefined;
  return { ...failure, index, attempts };
}

function whyFinal(state: State, job: Job, { kind }: AttemptFailure): string | undefined {
  if (kind !== "refused") return repeats[kind as FailureKind];
  return loadsNowhere(state, job) ? `Not tried again: ${refusedBy(job)}.` : undefined;
}

/** Keeps in mind what a client reported, for the verdict on the job. */
export function noteFailure(state: State, task: Task, client: ClientId, failure: AttemptFailure): void {
  const { job } = task;
  if (failure.kind === "refused") {
    job.refused ??= newEvidence();
    addEvidence(state, job.refused, task, client, 1);
  } else if (!job.everDone && job.info.failFast) {
    const likeness = likenessOf(failure);
    let alike = job.alike.get(likeness);
    if (!alike && job.alike.size >= maxSorts) return;
    if (!alike) job.alike.set(likeness, (alike = newEvidence()));
    addEvidence(state, alike, task, client, alikeTasks);
  }
}

/** Says why the whole job must end after this failure of one of its tasks, if it must. */
export function judgeJob(state: State, task: Task, failure: AttemptFailure): TaskFailure | undefined {
  const { job, index, attempts } = task;
  const end = (message: string): TaskFailure => ({
    ...failure,
    kind: "quarantined",
    message,
    index,
    attempts,
  });
  if (job.everDone) return undefined;
  if (job.killed.size >= state.config.quarantineAfter)
    return end(
      `Quarantined: the kernel took down ${job.killed.size} distinct clients and finished no task. Last: ${failure.message}`,
    );
  if (!job.info.failFast) return undefined;
  const goOn = "Requeueing tries again; with failFast: false every task is tried, however many fail.";
  if (failure.kind === "refused")
    return loadsNowhere(state, job)
      ? end(`Stopped early: ${refusedBy(job)}. ${failure.message} ${goOn}`)
      : undefined;
  const alike = job.alike.get(likenessOf(failure));
  if (!alike || !isEnough(state, job, alike)) return undefined;
  const { tasks, clients } = alike;
  return end(
    `Stopped early: ${tasks.size} tasks failed alike on ${countClients(clients.size)}, and none was done. Task ${index}: ${failure.message} ${goOn}`,
  );
}

/**
 * Whether the client has said all it can say about the job, so that its tasks are better kept for others that are there: a
 * broken machine, always idle, would fail them all.
 */
export function hasHadItsSay(state: State, { info: { id } }: Client, job: Job): boolean {
  if (job.refused?.clients.has(id))
    return job.everDone
      ? isAnotherThere(state, job, job.refused.clients)
      : awaitsOpinion(state, job, job.refused);
  for (const alike of job.alike.values())
    if (alike.clients.has(id) && alike.completeAt !== undefined && alike.clients.size < alikeClients)
      if (awaitsOpinion(state, job, alike)) return true;
  return false;
}

/** Its kernel works somewhere: what was held against it is void. */
export function noteDone(state: State, job: Job): void {
  job.everDone = true;
  if (job.alike.size === 0) return;
  job.alike.clear();
  // Clients that had had their say may have its tasks again.
  state.supplyChanged = true;
}

function newEvidence(): Evidence {
  return { tasks: new Set(), clients: new Set(), completeAt: undefined };
}

function addEvidence(state: State, evidence: Evidence, task: Task, client: ClientId, needed: number): void {
  evidence.tasks.add(task.index);
  evidence.clients.add(client);
  if (evidence.tasks.size >= needed) evidence.completeAt ??= state.now;
}

function isEnough(state: State, job: Job, alike: Evidence): boolean {
  if (alike.completeAt === undefined) return false;
  if (alike.clients.size < alikeClients && awaitsOpinion(state, job, alike)) return false;
  // A bad input fails at once, a good one computes for long: what fails first is no sample while most tasks still compute.
  return alike.tasks.size >= computing(state, job);
}

function loadsNowhere(state: State, job: Job): boolean {
  const { refused } = job;
  if (!refused || job.everDone) return false;
  return refused.clients.size >= state.config.quarantineAfter || !awaitsOpinion(state, job, refused);
}

/** Whether a client that has not failed this way is about to try the job, or tries it now. */
function awaitsOpinion(state: State, job: Job, { clients, completeAt = state.now }: Evidence): boolean {
  const isEarly = state.now - completeAt < secondOpinionMs;
  return isAnotherThere(state, job, clients, (client) => isEarly || holdsTaskOf(client, job));
}

function isAnotherThere(
  state: State,
  job: Job,
  tried: ReadonlySet<ClientId>,
  counts: (client: Client) => boolean = () => true,
): boolean {
  for (const client of state.clients.values())
    if (
      !tried.has(client.info.id) &&
      client.vanishedAt === undefined &&
      client.wanted > 0 &&
      meets(client.info, job.info.requires) &&
      counts(client)
    )
      return true;
  return false;
}

function holdsTaskOf(client: Client, job: Job): boolean {
  for (const { task } of client.leases) if (task.job === job) return true;
  return false;
}

/** Tasks of the job that are computed now, not waiting in a client's queue, as far as slots tell. */
function computing(state: State, job: Job): number {
  const held = new Map<ClientId, number>();
  for (const { leases } of job.tasks.values())
    for (const { client } of leases) held.set(client, (held.get(client) ?? 0) + 1);
  let sum = 0;
  for (const [id, count] of held) sum += Math.min(count, state.clients.get(id)?.slots ?? 0);
  return sum;
}

function refusedBy({ refused }: Job): string {
  return `the kernel does not load on any of the clients that tried it (${refused?.clients.size ?? 0})`;
}

function countClients(count: number): string {
  return count === 1 ? "one client" : `${count} clients`;
}
