import type { ClientId } from "../../shared/ids.ts";
import type { FailureKind } from "../../shared/wire/protocol.ts";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import { isBarred } from "./leases.ts";
import { likenessOf } from "./likeness.ts";
import { suits } from "./requirements.ts";
import type { Client, Evidence, Job, State, Task, TaskFailures } from "./state.ts";
import { Voices } from "./voices.ts";

/**
 * The verdict on a failed attempt: for its task another attempt or the end, for its job nothing or the end (SPEC.md
 * [FAIL-3], [FAIL-4], [FAIL-7], [FAIL-8]). Every end of a task or job that clients' reports cause is decided here.
 */

/**
 * Tasks that have to fail alike before a job without results stops early. As many as assignment looks ahead, so a
 * single slot tries that many tasks before any of them twice; a kernel that fails on half of its inputs does so in
 * one job of 65,536.
 */
const alikeTasks = 16;
/** Number of voices that have to fail alike, when this many are there: a single client may be broken. */
const alikeVoices = 2;
/** Kinds of alike failures remembered of a job: a job that fails in more ways does not fail alike. */
const maxSorts = 8;
/**
 * Time given to clients that have not tried the job yet; a client that computes a task of the job has until that
 * task ends.
 */
const secondOpinionMs = 60_000;

/** Kinds of failure that another attempt would only repeat, with the reason that the customer reads. */
const repeats: Partial<Record<FailureKind, string>> = {
  unserialisable: "Not tried again: the same input gives the same value on every client.",
};

type AttemptFailure = Omit<TaskFailure, "index" | "attempts">;

/** The final failure of a task; undefined while the task deserves another attempt. */
export function judgeTask(state: State, task: Task, failure: AttemptFailure): TaskFailure | undefined {
  const { attempts, index, job, failures } = task;
  if (failures && failures.killed.size >= state.config.quarantineAfter && isSettled(state, task, failures)) {
    const message = `Quarantined: the task took down ${failures.killed.size} distinct clients. Last: ${failure.message}`;
    return { ...failure, kind: "quarantined", message, index, attempts };
  }
  const why = whyFinal(state, task, failure);
  if (why !== undefined) return { ...failure, message: `${failure.message} ${why}`, index, attempts };
  if (task.leases.length > 0) return undefined;
  const { maxAttempts } = job.info;
  if (attempts >= maxAttempts) return { ...failure, index, attempts };
  // Strangers of few cohorts used up the attempts, and their failures count because a trusted client failed too or no other voice is there.
  if (failures && failures.reports >= maxAttempts && isSettled(state, task, failures))
    return { ...failure, index, attempts };
  return undefined;
}

function whyFinal(state: State, task: Task, { kind }: AttemptFailure): string | undefined {
  const { job, failures } = task;
  if (kind === "refused") return loadsNowhere(state, job) ? `Not tried again: ${refusedBy(job)}.` : undefined;
  return failures && isSettled(state, task, failures) ? repeats[kind as FailureKind] : undefined;
}

/**
 * Whether the failures of a task need no further voice (SPEC.md [TRUST-3]): a trusted client failed, or `maxAttempts` voices did, or no
 * other voice is there.
 */
function isSettled(state: State, { job }: Task, { isConfirmed, voices }: TaskFailures): boolean {
  return isConfirmed || voices.size >= job.info.maxAttempts || !mayAskOther(state, job, voices);
}

/** Whether another voice is there, or an auditor can be started. */
export function mayAskOther(state: State, job: Job, voices: Voices): boolean {
  const mayTry = (client: Client): boolean => !hasHadItsSay(state, client, job);
  return (state.config.auditors && !voices.trusted) || isAnotherThere(state, job, voices, mayTry);
}

/** Keeps a reported failure as evidence for the verdict on the job. */
export function noteFailure(state: State, task: Task, client: Client, failure: AttemptFailure): void {
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

/** The reason to end the whole job after this failure; undefined when the job goes on. */
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
  if (job.killed.size >= state.config.quarantineAfter && isBelieved(state, job, job.killed))
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
  const { tasks, voices } = alike;
  return end(
    `Stopped early: ${tasks.size} tasks failed alike on ${countVoices(voices)}, and none was done. Task ${index}: ${failure.message} ${goOn}`,
  );
}

/**
 * Whether the client has given all its evidence about the job, so that the tasks are better kept for other clients:
 * a broken machine, always idle, would fail them all.
 */
export function hasHadItsSay(state: State, client: Client, job: Job): boolean {
  if (job.refused?.voices.has(client.info))
    // The auditor takes no tasks but those that failed: the others would wait for ever.
    return job.everDone
      ? isAnotherThere(state, job, job.refused.voices, ({ info }) => !info.auditor)
      : awaitsOpinion(state, job, job.refused);
  for (const alike of job.alike.values())
    if (alike.voices.has(client.info) && alike.completeAt !== undefined && alike.voices.size < alikeVoices)
      if (awaitsOpinion(state, job, alike)) return true;
  return false;
}

/** The kernel works on a client: earlier evidence against the job is void. */
export function noteDone(state: State, job: Job): void {
  job.everDone = true;
  if (job.alike.size === 0) return;
  job.alike.clear();
  // Clients that had given all their evidence may have tasks of the job again.
  state.supplyChanged = true;
}

function newEvidence(): Evidence {
  return { tasks: new Set(), voices: new Voices(), completeAt: undefined };
}

function addEvidence(state: State, evidence: Evidence, task: Task, client: Client, needed: number): void {
  evidence.tasks.add(task.index);
  evidence.voices.add(client.info);
  if (evidence.tasks.size >= needed) evidence.completeAt ??= state.now;
}

function isEnough(state: State, job: Job, alike: Evidence): boolean {
  if (alike.completeAt === undefined) return false;
  if (alike.voices.size < alikeVoices && awaitsOpinion(state, job, alike)) return false;
  if (!isBelieved(state, job, alike.voices)) return false;
  // Bad inputs fail at once and good ones compute long: early failures are no sample while more tasks still compute.
  return alike.tasks.size >= computing(state, job);
}

function loadsNowhere(state: State, job: Job): boolean {
  const { refused } = job;
  if (!refused || job.everDone) return false;
  const { voices } = refused;
  const isTried = voices.size >= state.config.quarantineAfter || !awaitsOpinion(state, job, refused);
  return isTried && isBelieved(state, job, voices);
}

/** Whether voices may end a job: strangers alone only when they are `maxAttempts`, or no other voice is there. */
function isBelieved(state: State, job: Job, voices: Voices): boolean {
  return voices.trusted || voices.size >= job.info.maxAttempts || !mayAskOther(state, job, voices);
}

/** Whether a voice that has not failed this way is about to try the job, or tries it now. */
function awaitsOpinion(state: State, job: Job, { voices, completeAt = state.now }: Evidence): boolean {
  const isEarly = state.now - completeAt < secondOpinionMs;
  if (isEarly && state.config.auditors && !voices.trusted) return true;
  return isAnotherThere(state, job, voices, (client) => isEarly || holdsTaskOf(client, job));
}

function isAnotherThere(
  state: State,
  job: Job,
  tried: Voices,
  counts: (client: Client) => boolean = () => true,
): boolean {
  for (const client of state.clients.values())
    if (
      !tried.has(client.info) &&
      client.vanishedAt === undefined &&
      client.wanted > 0 &&
      !client.drained &&
      // The auditor takes no task that another trusted client tried.
      !(client.info.auditor && tried.trusted) &&
      suits(client.info, job.info) &&
      !isBarred(client, job) &&
      counts(client)
    )
      return true;
  return false;
}

function holdsTaskOf(client: Client, job: Job): boolean {
  for (const { task } of client.leases) if (task.job === job) return true;
  return false;
}

/** Tasks of the job that are computed now, estimated from the clients' slots: the other leases wait in queues. */
function computing(state: State, job: Job): number {
  const held = new Map<ClientId, number>();
  for (const { leases } of job.tasks.values())
    for (const { client } of leases) held.set(client, (held.get(client) ?? 0) + 1);
  let sum = 0;
  for (const [id, count] of held) sum += Math.min(count, state.clients.get(id)?.slots ?? 0);
  return sum;
}

function refusedBy({ refused }: Job): string {
  return `the kernel does not load on any of the clients that tried it (${refused?.voices.size ?? 0})`;
}

function countVoices({ size }: Voices): string {
  return size === 1 ? "one client" : `${size} clients`;
}
