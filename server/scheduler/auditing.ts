import type { TaskIndex } from "../../shared/ids.ts";
import type { Failure, LeasedTask, Payload, TaskOutcome } from "../../shared/wire/protocol.ts";
import type { SchedulerEvent } from "./events.ts";
import { banStranger, doubtKernel } from "./found-wrong.ts";
import { readComparison, readInspection } from "./inspection.ts";
import { lacksData, putBack, requeue } from "./leases.ts";
import { removeTask } from "./settling.ts";
import {
  newTask,
  type Audit,
  type Client,
  type Job,
  type Lease,
  type Run,
  type State,
  type Task,
  type Window,
} from "./state.ts";
import { estimateBytes } from "./value-bytes.ts";
import { callAuditors, isInspectorExpected, isTrustedExpected, isTrustedThere } from "./who-audits.ts";
import { advance, auditInFull, giveUpResult, noteAgreed, replaceResult } from "./windows.ts";

const auditAttempts = 3;
/** Age of a window at which calls of its kernel module are given up without a client for them. */
const callsMs = 30 * 60_000;
/** Audits at the front of the queue among which one for the client is looked for. */
const lookahead = 16;
/** Failures that a kernel gives on every client. */
const ofKernel: ReadonlySet<Failure["kind"]> = new Set(["error", "unserialisable"]);

/** Has the store read audits until so many are queued or being read. */
export function readAudits(state: State, job: Job, most: number): void {
  for (const request of job.unread) {
    const room = most - job.audits.size - job.reading;
    if (room <= 0) return;
    const { window, inspect } = request;
    const isJudged = job.windows.has(window.number);
    const left = isJudged ? request.indexes.filter((index) => window.pending.has(index)) : [];
    const indexes = left.slice(0, room);
    request.indexes = left.slice(room);
    if (request.indexes.length === 0) job.unread.delete(request);
    if (indexes.length === 0) continue;
    job.reading += indexes.length;
    state.out.push({ type: "readAudits", job: job.id, window: window.number, indexes, inspect });
  }
}

/** The tasks of results to be audited, and their provisional outputs when they are inspected, are read. */
export function addAudits(
  state: State,
  job: Job,
  { window: number, asked, tasks, outputs }: Extract<SchedulerEvent, { type: "auditsRead" }>,
): void {
  // The job may have ended and been requeued since these tasks were asked for.
  job.reading = Math.max(0, job.reading - asked);
  job.auditBytes = estimateBytes(job.auditBytes, tasks, outputs?.values());
  const window = job.windows.get(number);
  if (!window) return;
  for (const claimed of tasks) {
    const { index } = claimed;
    if (!window.pending.has(index)) continue;
    if (claimed.isDamaged) {
      giveUpResult(state, window, index);
      continue;
    }
    const present = job.tasks.get(index);
    if (present) {
      // Another result of the same task is being judged, or the task is computed: that decides.
      if (present.audit?.window !== window) giveUpResult(state, window, index);
      continue;
    }
    const output = outputs?.get(index);
    const audit = newAudit(window, output instanceof Uint8Array ? output : undefined);
    if (audit.phase === "inspect" && !isInspectorExpected(state, job)) {
      // The result is audited only when it is chosen for that.
      if (!window.chosen.has(index)) {
        window.pending.delete(index);
        continue;
      }
      Object.assign(audit, { phase: "run", output: undefined });
    }
    const task = newTask(job, claimed, audit);
    job.tasks.set(index, task);
    job.audits.append(task);
    state.supplyChanged = true;
  }
  advance(state, window);
  callAuditors(state);
}

function newAudit(window: Window, output: Payload | undefined): Audit {
  const phase = output === undefined ? "run" : "inspect";
  return {
    window,
    phase,
    output,
    first: undefined,
    latest: undefined,
    against: "provisional",
    attempts: 0,
    calls: 0,
  };
}

/** Takes an audit for the client out of the queue. */
export function chooseAudit(state: State, client: Client, job: Job): Task | undefined {
  for (const task of job.audits.peek(lookahead)) {
    if (!mayAudit(state, client, job, task.audit!) || lacksData(state, task)) continue;
    job.audits.take(task);
    return task;
  }
  return undefined;
}

function mayAudit(state: State, { info }: Client, job: Job, { window, phase, first }: Audit): boolean {
  if (phase !== "run") return info.trusted && info.kind === "node";
  if (info.trusted) return first?.client !== info.id || !isTrustedThere(state, job, info.id);
  // The computation of a trusted client is not outvoted by strangers.
  if (first?.trusted) return false;
  return info.cohort !== window.cohort && info.cohort !== first?.cohort && !isTrustedExpected(state, job);
}

/** The call of a kernel module's function that an audit asks for. */
export function callOf({ phase, output, latest }: Audit): Pick<LeasedTask, "call"> & { input?: Payload } {
  if (phase === "inspect") return { call: { name: "inspect", value: output as Uint8Array } };
  if (phase === "compare")
    return { input: output!, call: { name: "compare", value: latest!.output as Uint8Array } };
  return {};
}

/** Takes the result of an audit. */
export function receiveAudit(state: State, { info }: Client, { task }: Lease, outcome: TaskOutcome): void {
  const audit = task.audit!;
  if (outcome.state === "failed") return failAudit(state, info, task, audit, outcome.failure);
  if (audit.phase === "inspect") return noteInspection(state, task, audit, outcome.output);
  if (audit.phase === "compare") return conclude(state, task, audit, readComparison(outcome.output));
  audit.latest = { ...runOf(info), output: outcome.output, refs: outcome.refs ?? [] };
  compareWith(state, task, audit, "provisional");
}

function runOf({ id, cohort, trusted }: Client["info"]): Omit<Run, "output" | "refs"> {
  return { client: id, cohort, trusted };
}

function failAudit(state: State, info: Client["info"], task: Task, audit: Audit, { kind }: Failure): void {
  // A stranger's failure says nothing about the result of another.
  if (audit.phase === "run" && ofKernel.has(kind) && info.trusted) {
    audit.latest = { ...runOf(info), output: undefined, refs: [] };
    audit.against = "provisional";
    return conclude(state, task, audit, false);
  }
  // An output at which `compare` throws agrees with nothing, or its author would never be blamed.
  if (audit.phase === "compare" && ofKernel.has(kind)) return conclude(state, task, audit, false);
  retryAudit(state, task, audit);
}

/** Tries an audit again whose lease lapsed, or whose client is gone. A task that takes trusted clients down is not audited for ever. */
export function loseAudit(state: State, holder: Client | undefined, task: Task, audit: Audit): void {
  if (holder?.info.trusted) retryAudit(state, task, audit);
  else requeue(state, task);
}

/** Tries an audit again whose failure says nothing about the result; a few times, because clients may be unable to compute this task. */
function retryAudit(state: State, task: Task, audit: Audit): void {
  audit.attempts += 1;
  if (audit.attempts < auditAttempts) return requeue(state, task);
  if (audit.phase === "inspect") return runInstead(state, task, audit);
  if (audit.phase === "compare") return giveUpComparison(state, task, audit);
  leaveUnverified(state, task, audit);
}

function leaveUnverified(state: State, task: Task, audit: Audit): void {
  audit.window.unverified += 1;
  endAudit(state, task, audit);
}

/** A result that its kernel module could not inspect, or calls suspicious, is computed again. */
function runInstead(state: State, task: Task, audit: Audit): void {
  audit.phase = "run";
  audit.output = undefined;
  audit.attempts = 0;
  requeue(state, task);
}

function noteInspection(state: State, task: Task, audit: Audit, output: Payload): void {
  const { window } = audit;
  const inspection = readInspection(output);
  if (!inspection) return retryAudit(state, task, audit);
  if (!inspection.correct) return banStranger(state, window, task.index, "check");
  window.checked += 1;
  window.job.doubt.noteAgreed(task.index, window.cohort);
  if (inspection.suspicious || window.chosen.has(task.index)) return runInstead(state, task, audit);
  endAudit(state, task, audit);
}

/** Gives up calls of kernel modules that wait for a trusted node client, where none is expected and the window is old (SPEC.md [VERIFY-8]). */
export function giveUpCalls(state: State): void {
  for (const job of state.jobs.values()) {
    if (job.audits.size === 0 || job.info.paused || isInspectorExpected(state, job)) continue;
    for (const task of job.audits.peek(job.audits.size)) {
      const audit = task.audit!;
      if (audit.phase === "run" || state.now - audit.window.openedAt < callsMs) continue;
      job.audits.take(task);
      if (audit.phase === "compare") giveUpComparison(state, task, audit);
      else if (audit.window.chosen.has(task.index)) runInstead(state, task, audit);
      else leaveUnverified(state, task, audit);
    }
  }
}

function compareWith(state: State, task: Task, audit: Audit, against: Audit["against"]): void {
  audit.against = against;
  const { first, latest, window } = audit;
  if (against === "first" && (first?.output === undefined || latest?.output === undefined))
    return conclude(state, task, audit, first?.output === undefined && latest?.output === undefined);
  task.place = "settling";
  state.out.push({
    type: "compareOutputs",
    job: task.job.id,
    index: task.index,
    window: window.number,
    compare: task.job.info.compare,
    first: against === "first" ? first?.output : undefined,
    second: latest!.output!,
  });
}

/**
 * Two outputs were compared by the server.
 * @param agree - undefined when only the kernel module can tell, "gone" when there is no such provisional result any more
 * @param first - the first of the outputs
 */
export function noteComparison(
  state: State,
  job: Job,
  number: number,
  index: TaskIndex,
  agree: boolean | "gone" | undefined,
  first: Payload | undefined,
): void {
  const task = job.tasks.get(index);
  const audit = task?.audit;
  if (!task || audit?.window.number !== number || task.place !== "settling") return;
  if (agree === "gone") return giveUpResult(state, audit.window, index);
  if (agree !== undefined) return conclude(state, task, audit, agree);
  const isInline = first instanceof Uint8Array && audit.latest?.output instanceof Uint8Array;
  if (!isInline || !isInspectorExpected(state, job)) return giveUpComparison(state, task, audit);
  audit.phase = "compare";
  audit.output = first;
  audit.attempts = 0;
  putBack(state, task);
  callAuditors(state);
}

/** Goes on after a comparison (SPEC.md [VERIFY-4]). */
function conclude(state: State, task: Task, audit: Audit, agree: boolean): void {
  const { window, first, latest, against } = audit;
  audit.phase = "run";
  audit.output = undefined;
  if (against === "first") {
    if (!first?.trusted || !latest?.trusted)
      return latest?.trusted
        ? replaceResult(state, window, task, latest)
        : giveUpResult(state, window, task.index);
    return agree ? banStranger(state, window, task.index, "audit") : doubtKernel(state, task.job);
  }
  if (agree) {
    noteAgreed(state, window, task.index);
    return endAudit(state, task, audit);
  }
  if (first) return compareWith(state, task, audit, "first");
  audit.first = latest;
  audit.attempts = 0;
  putBack(state, task);
  callAuditors(state);
}

/**
 * Of a result that cannot be compared, the computation of a trusted client is the outcome, and nobody is blamed. Its author may have seen to that,
 * so the audits that agree say nothing about the rest of the window (SPEC.md [VERIFY-7]).
 */
function giveUpComparison(state: State, task: Task, audit: Audit): void {
  const { window, latest } = audit;
  if (!latest?.trusted) return leaveUnverified(state, task, audit);
  auditInFull(state, window);
  replaceResult(state, window, task, latest);
}

function endAudit(state: State, task: Task, { window }: Audit): void {
  removeTask(state, task.job, task.index);
  window.pending.delete(task.index);
  advance(state, window);
}
