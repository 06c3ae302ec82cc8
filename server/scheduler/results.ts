import type { BlobName } from "../../shared/data-reference.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { Failure, TaskResult } from "../../shared/wire/protocol.ts";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { NewOutcome, NewOutput } from "../store/store.ts";
import { mayRun } from "./assign.ts";
import { loseAudit, receiveAudit } from "./auditing.ts";
import { grow } from "./credit.ts";
import type { Acknowledgement } from "./events.ts";
import { ignore } from "./ignore.ts";
import {
  believes,
  forgetAdopted,
  isBarred,
  lacksData,
  loseCredit,
  putBack,
  removeLease,
  requeue,
} from "./leases.ts";
import { quorumOf } from "./quorum.ts";
import { endUnclaimed, endUnclaimedOf, settle, tellEnded } from "./settling.ts";
import type { Client, Job, Lease, State, Task, TaskFailures, Window } from "./state.ts";
import { boundedMs } from "./usual-time.ts";
import { judgeJob, judgeTask, noteDone, noteFailure } from "./verdict.ts";
import { Voices } from "./voices.ts";
import { addToWindow, closeIdleOf, endTask, isProvisional } from "./windows.ts";

const noRefs: readonly BlobName[] = [];
/** A stranger that is barred from this many jobs is refused altogether. */
const jobsBarred = 3;

/** The instructions that one message of results leads to. */
interface Batch {
  readonly outcomes: NewOutcome[];
  /** Outputs of a stranger by window. */
  readonly provisional: Map<Window, NewOutput[]>;
  /** Outputs of a stranger for a job with a quorum. */
  readonly opinions: NewOutput[];
  readonly outcomeAcks: Acknowledgement[];
  readonly attempts: { index: number; attempts: number }[];
  readonly attemptAcks: Acknowledgement[];
  readonly ackNow: number[];
  /** Run times of delivered leases as told by the client, within the bounds of the server's clock. */
  readonly elapsedMs: number[];
  /** The reason that the job ends; stored after the outcomes of its tasks. */
  jobEnd: TaskFailure | undefined;
}

/** Takes the results of a client: outcomes that end a task go to the store, other tasks back into the queue. */
export function receiveResults(
  state: State,
  client: ClientId,
  jobId: JobId,
  results: readonly TaskResult[],
): void {
  const job = state.jobs.get(jobId);
  const sender = state.clients.get(client);
  // The client left meanwhile: unacknowledged, the results come again with the client.
  if (job && !sender) return ignore(state, "results of an unknown client", { client, job: jobId });
  if (!job || !sender || !mayRun(sender, job)) {
    // The job is over, or asks for other clients: the client may forget these results.
    ignore(state, "results that no job here takes", { client, job: jobId });
    state.counts.droppedResults += results.length;
    state.out.push({ type: "sendAccepted", client, job: jobId, indexes: results.map(({ index }) => index) });
    return;
  }
  const batch: Batch = {
    outcomes: [],
    provisional: new Map(),
    opinions: [],
    outcomeAcks: [],
    attempts: [],
    attemptAcks: [],
    ackNow: [],
    elapsedMs: [],
    jobEnd: undefined,
  };
  for (const result of results) receiveResult(state, sender, job, result, batch);
  if (batch.elapsedMs.length > 0) {
    job.usual.add(sender.info.cohort, batch.elapsedMs);
    job.meanMs = job.usual.ms;
  }
  send(state, job, sender, batch);
  closeIdleOf(state, job, client);
}

function receiveResult(state: State, sender: Client, job: Job, result: TaskResult, batch: Batch): void {
  const { index, outcome } = result;
  const client = sender.info.id;
  forgetAdopted(job, client, index);
  const task = job.tasks.get(index);
  const lease = task?.leases.find((held) => held.client === client && held.attempt === result.attempt);
  if (task?.audit && lease) {
    // A call of the kernel module's function takes another time than its tasks.
    if (outcome.state === "done" && task.audit.phase === "run")
      batch.elapsedMs.push(Math.min(result.elapsedMs, state.now - lease.leasedAt));
    removeLease(state, lease);
    batch.ackNow.push(index);
    return receiveAudit(state, sender, lease, outcome);
  }
  // The task has a provisional result, and its audit is not ended by another stranger.
  if (task?.audit && !sender.info.trusted) {
    ignore(state, "a result of a task that is being audited", { client, job: job.id, index });
    state.counts.droppedResults += 1;
    return void batch.ackNow.push(index);
  }
  if (result.attempt >= limits.firstCallAttempt) {
    ignore(state, "the result of a call without a lease", {
      client,
      job: job.id,
      index,
      attempt: result.attempt,
    });
    return void batch.ackNow.push(index);
  }
  if (outcome.state === "failed") {
    // A failure without a lease says nothing about the task, which has ended or is with another client by now.
    if (!task || !lease) {
      ignore(state, "a failure without a lease", { client, job: job.id, index, attempt: result.attempt });
      batch.ackNow.push(index);
      return;
    }
    removeLease(state, lease);
    failAttempt(state, sender, lease, outcome.failure, batch);
    return;
  }
  if (lease) {
    batch.elapsedMs.push(boundedMs(result.elapsedMs, state.now - lease.leasedAt, lease.rounds));
  } else if (!mayEndUnleased(state, sender, job, index)) {
    ignore(state, "an output without a lease", { client, job: job.id, index, attempt: result.attempt });
    state.counts.droppedResults += 1;
    batch.ackNow.push(index);
    return;
  }
  noteDone(state, job);
  sender.delivered += 1;
  if (lease?.stranger && sender.credit) grow(sender.credit, lease.stranger.workMs);
  if (task?.failures && sender.info.trusted) noteFaults(state, job, task.failures.accused);
  // A repeat of a result on its way to disk is stored again, dropped by the store, and acknowledged then.
  if (task) settle(state, task, client);
  else job.endingUnclaimed.set(index, (job.endingUnclaimed.get(index) ?? 0) + 1);
  const output = { index, output: outcome.output, refs: outcome.refs ?? noRefs };
  if (isProvisional(sender, job)) return addProvisional(state, sender, job, lease, output, batch);
  batch.outcomeAcks.push({ client, index });
  batch.outcomes.push({ state: "done", ...output });
}

function addProvisional(
  state: State,
  sender: Client,
  job: Job,
  lease: Lease | undefined,
  output: NewOutput,
  { provisional, opinions }: Batch,
): void {
  if (quorumOf(job) !== undefined) return void opinions.push(output);
  const window = addToWindow(state, job, sender, output.index, lease?.continues);
  const outputs = provisional.get(window);
  if (outputs) outputs.push(output);
  else provisional.set(window, [output]);
}

/**
 * Whether a result without a lease may end its task (SPEC.md [LEASE-5]): from a trusted client, from a client that
 * had the task before, soon after a restart, when leases are not known, or as a repeat of a result on its way. Never
 * from a volunteer that was not given the task.
 */
function mayEndUnleased(state: State, sender: Client, job: Job, index: number): boolean {
  const task = job.tasks.get(index);
  return (
    sender.info.trusted ||
    task?.place === "settling" ||
    task?.triedBy?.has(sender.info.id) === true ||
    job.endingUnclaimed.has(index) ||
    believes(state, job)
  );
}

function failAttempt(
  state: State,
  sender: Client,
  { task, client, attempt }: Lease,
  failure: Failure,
  batch: Batch,
): void {
  const { index } = task;
  // The client could not have the data. The task waits for it, and no attempt is counted.
  if (failure.kind === "data" && lacksData(state, task)) {
    batch.ackNow.push(index);
    return requeue(state, task);
  }
  noteAttempt(task, sender, attempt);
  noteReport(task, sender, failure);
  noteFailure(state, task, sender, failure);
  const verdict = judgeTask(state, task, { ...failure, client });
  if (verdict) {
    settle(state, task, client);
    batch.outcomes.push({ state: "failed", index, failure: verdict });
    batch.outcomeAcks.push({ client, index });
  } else {
    batch.attempts.push({ index, attempts: task.attempts });
    batch.attemptAcks.push({ client, index });
    requeue(state, task);
    if (state.config.auditors && task.job.suspects.has(task)) state.out.push({ type: "callAuditors" });
  }
  batch.jobEnd ??= judgeJob(state, task, { ...failure, client });
}

/** Counts the attempt of a lease that lapsed or whose client is gone (SPEC.md [LEASE-3], [FAIL-4]). */
export function loseAttempt(state: State, { task, client, attempt }: Lease, message: string): void {
  const { job, index } = task;
  const holder = state.clients.get(client);
  loseCredit(state, holder);
  if (task.audit) return loseAudit(state, holder, task, task.audit);
  if (!holder || !noteAttempt(task, holder, attempt)) return requeue(state, task);
  (task.lost ??= new Set()).add(attempt);
  const failure = { kind: "lost" as const, message, client };
  const verdict = judgeTask(state, task, failure);
  if (verdict) {
    settle(state, task, client);
    state.out.push({
      type: "storeOutcomes",
      job: job.id,
      outcomes: [{ state: "failed", index, failure: verdict }],
      acknowledge: [],
    });
  } else {
    state.out.push({
      type: "storeAttempts",
      job: job.id,
      attempts: [{ index, attempts: task.attempts }],
      acknowledge: [],
    });
    requeue(state, task);
  }
  const jobEnd = judgeJob(state, task, failure);
  if (jobEnd) endJob(state, job, jobEnd);
}

/**
 * Counts an attempt: each attempt of a trusted client, and one attempt for each cohort of strangers.
 * @returns false when the attempt was counted as lost before: its client slept past the grace time, and was believed afterwards that it
 * still held the lease
 */
function noteAttempt(task: Task, client: Client, attempt: number): boolean {
  (task.triedBy ??= new Set()).add(client.info.id);
  if (task.lost?.has(attempt)) return false;
  const { voices } = failuresOf(task);
  if (voices.add(client.info) || client.info.trusted) task.attempts += 1;
  return true;
}

/** Keeps a reported failure. A client that only vanished is no evidence against the task. */
function noteReport(task: Task, client: Client, { kind }: Failure): void {
  const failures = failuresOf(task);
  failures.reports += 1;
  if (client.info.trusted) failures.isConfirmed = true;
  else failures.accused.add(client.info.id);
  if (kind !== "crash" && kind !== "memory") return;
  failures.killed.add(client.info);
  task.job.killed.add(client.info);
}

function failuresOf(task: Task): TaskFailures {
  return (task.failures ??= {
    reports: 0,
    isConfirmed: false,
    voices: new Voices(),
    killed: new Voices(),
    accused: new Set(),
  });
}

/** Counts a fault of each stranger that failed at a task which a trusted client then computed (SPEC.md [TRUST-4]). */
function noteFaults(state: State, job: Job, accused: ReadonlySet<ClientId>): void {
  for (const id of accused) {
    const client = state.clients.get(id);
    if (!client?.credit || isBarred(client, job)) continue;
    loseCredit(state, client);
    const faults = (client.faults ??= new Map());
    faults.set(job.id, (faults.get(job.id) ?? 0) + 1);
    if (!isBarred(client, job)) continue;
    client.barred += 1;
    if (client.barred < jobsBarred) continue;
    const reason = `it failed at tasks of ${client.barred} jobs that other machines computed, so the machine or its browser may be faulty`;
    state.out.push({ type: "barClient", client: id, reason });
  }
}

function endJob(state: State, job: Job, reason: TaskFailure): void {
  // The verdict is given once: failures that arrive before the store has ended the job add nothing.
  job.alike.clear();
  state.out.push({ type: "quarantineJob", job: job.id, reason });
}

function send(state: State, job: Job, sender: Client, batch: Batch): void {
  const { id: client, cohort } = sender.info;
  for (const [{ number }, outputs] of batch.provisional)
    state.out.push({
      type: "keepProvisional",
      job: job.id,
      window: { number, client, cohort },
      outputs,
      isOpinion: false,
    });
  for (const output of batch.opinions)
    state.out.push({
      type: "keepProvisional",
      job: job.id,
      window: { number: state.nextWindow++, client, cohort },
      outputs: [output],
      isOpinion: true,
    });
  if (batch.outcomes.length > 0)
    state.out.push({
      type: "storeOutcomes",
      job: job.id,
      outcomes: batch.outcomes,
      acknowledge: batch.outcomeAcks,
    });
  if (batch.attempts.length > 0)
    state.out.push({
      type: "storeAttempts",
      job: job.id,
      attempts: batch.attempts,
      acknowledge: batch.attemptAcks,
    });
  if (batch.ackNow.length > 0)
    state.out.push({ type: "sendAccepted", client, job: job.id, indexes: batch.ackNow });
  if (batch.jobEnd) endJob(state, job, batch.jobEnd);
}

/**
 * The store has these outcomes: the tasks are over.
 * @param done - outputs among the accepted outcomes
 */
export function finishSettling(
  state: State,
  job: Job,
  accepted: readonly number[],
  dropped: readonly number[],
  done: number,
): void {
  state.counts.droppedResults += dropped.length;
  if (done > 0) job.killed.clear();
  const ended = [...accepted, ...dropped];
  tellEnded(state, job, endUnclaimedOf(job, ended));
  for (const index of ended) endTask(state, job, index);
}

/** The store refused these outcomes: the tasks are still open, and their clients send the results again. */
export function reopenSettling(state: State, job: Job, indexes: readonly number[]): void {
  const unclaimed: number[] = [];
  for (const index of indexes) {
    if (endUnclaimed(job, index)) unclaimed.push(index);
    const task = job.tasks.get(index);
    if (task?.place !== "settling") continue;
    // A failure that is not on disk does not count as the last attempt.
    task.attempts = Math.min(task.attempts, job.info.maxAttempts - 1);
    putBack(state, task);
  }
  if (unclaimed.length === 0) return;
  // A claim that brought these tasks meanwhile has skipped them.
  job.exhausted = false;
  state.out.push({
    type: "unclaimTasks",
    job: job.id,
    indexes: unclaimed.filter((index) => !job.tasks.has(index)),
  });
}
