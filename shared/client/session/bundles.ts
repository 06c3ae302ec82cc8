import type { Sha256, TaskIndex } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { Failure, TaskResult } from "../../wire/protocol.ts";
import { backoffMs } from "../../backoff.ts";
import { updateMean } from "./credit.ts";
import type { SandboxReport } from "../ports.ts";
import type { FinishedTask } from "../sandbox-task.ts";
import { deliver } from "./delivery.ts";
import { ignore } from "./ignore.ts";
import { noteCheckpoint, noteLines, noteProgress } from "./reports.ts";
import { closeSandbox, idleEndsAt, rest } from "./slots.ts";
import { idle, type Bundle, type HeldTask, type SessionState } from "./state.ts";
import { fetchAhead, forget, needs, releaseTasks, requeue } from "./tasks.ts";

/**
 * The top level of a kernel's module has this long, or `timeoutMs` when that is longer: large modules are compiled in it. A customer
 * with a shorter time wants to hear of an endless one sooner, but not of a slow machine.
 */
const loadMs = 5_000;
/** A bundle ends and its last report may still be on the way: the report gets this long. */
const lastReportMs = 1000;
const brokenAtLeastMs = 1000;

function bundleIn(state: SessionState, slot: number, run: number): Bundle | undefined {
  const bundle = openBundle(state, slot, run);
  if (!bundle) ignore(state, `run ${run} of slot ${slot} is over`);
  return bundle;
}

function openBundle(state: SessionState, slot: number, run: number): Bundle | undefined {
  const work = state.slots.get(slot)?.work;
  return work?.state === "bundled" && work.run === run ? work : undefined;
}

export function startLoad(state: SessionState, slot: number, run: number): void {
  const bundle = bundleIn(state, slot, run);
  if (!bundle) return;
  bundle.phase = "loading";
  bundle.ranSince = bundle.heardAt = state.now;
  bundle.deadline = state.now + Math.max(loadMs, bundle.job.descriptor.timeoutMs);
}

export function startBundle(state: SessionState, slot: number, run: number): void {
  const bundle = bundleIn(state, slot, run);
  if (!bundle) return;
  bundle.phase = "running";
  bundle.ranSince ??= state.now;
  state.fetchMs *= 0.95;
  heard(state, bundle);
}

/** Notes how long data of a task was on its way. Kernels come once. After the first data of a job, the others are fetched, too. */
export function noteFetched(state: SessionState, sha256: Sha256, ms: number): void {
  for (const { descriptor } of state.jobs.values()) if (descriptor.kernel.sha256 === sha256) return;
  state.fetchMs = Math.max(state.fetchMs, ms);
  for (const { work } of state.slots.values())
    if (work.state === "bundled" && !work.job.isFetchedAhead)
      for (const task of work.remaining.values()) if (needs(task, sha256)) fetchAhead(state, work.job);
}

/** A task's time runs from here. */
function heard(state: SessionState, bundle: Bundle): void {
  bundle.heardAt = state.now;
  bundle.forgiven = false;
  bundle.deadline = state.now + bundle.job.descriptor.timeoutMs;
}

/** A report comes from hostile code: parts that do not fit the bundle are ignored. */
export function takeReport(
  state: SessionState,
  slotNumber: number,
  sandbox: number,
  report: SandboxReport,
): void {
  const slot = state.slots.get(slotNumber);
  if (slot?.sandbox?.id !== sandbox || slot.work.state !== "bundled")
    return ignore(state, `sandbox ${sandbox} has no bundle`);
  const bundle = slot.work;
  const { remaining } = bundle;
  const { progress, checkpoint, log, finished = [] } = report;
  let unknown = 0;
  for (const part of [progress, checkpoint, log, ...finished])
    if (part && !remaining.has(part.index)) unknown++;
  if (unknown > 0) ignore(state, `${unknown} parts are of tasks that run ${bundle.run} does not have`);
  if (log && remaining.has(log.index)) noteLines(state, bundle.job.id, log.index, log.lines);
  if (progress && remaining.has(progress.index)) noteProgress(bundle, progress.index, progress.fraction);
  const saving = checkpoint && remaining.get(checkpoint.index);
  if (saving) noteCheckpoint(state, saving, checkpoint.state);
  if (finished.length > 0) finishTasks(state, bundle, finished);
}

function finishTasks(state: SessionState, bundle: Bundle, finished: readonly FinishedTask[]): void {
  const { job } = bundle;
  const taken: { task: HeldTask; outcome: FinishedTask["outcome"] }[] = [];
  for (const { index, outcome } of finished) {
    const task = bundle.remaining.get(index);
    if (!task) continue;
    forget(state, task);
    taken.push({ task, outcome });
  }
  if (taken.length === 0) return;
  // The session's own clock, because a kernel can change every clock of its sandbox. The tasks of one report share its time.
  const totalMs = state.now - bundle.heardAt;
  const elapsedMs = totalMs / taken.length;
  const results = taken.map(({ task, outcome }): TaskResult => {
    return { index: task.task.index, attempt: task.attempt, elapsedMs, outcome: outcomeOf(outcome) };
  });
  job.meanMs = updateMean(job.meanMs, results.length, totalMs);
  state.meanMs = updateMean(state.meanMs, results.length, totalMs);
  fetchAhead(state, job);
  deliver(state, job.id, results);
  bundle.fraction = 0;
  bundle.progressOf = undefined;
  bundle.heardAt = state.now;
  if (bundle.overrun === undefined) heard(state, bundle);
  if (bundle.remaining.size > 0) return;
  bundle.slot.failures = 0;
  rest(state, bundle.slot);
}

function outcomeOf(outcome: FinishedTask["outcome"]): TaskResult["outcome"] {
  if (outcome.state === "failed") return outcome;
  const { output, refs } = outcome;
  return refs.length > 0 ? { state: "done", output, refs: [...refs] } : { state: "done", output };
}

/** Fails tasks of a bundle whose failure is theirs for certain. */
function failTasks(state: SessionState, bundle: Bundle, tasks: readonly HeldTask[], failure: Failure): void {
  const elapsedMs = bundle.deadline === undefined ? 0 : state.now - bundle.heardAt;
  const results = tasks.map((task): TaskResult => {
    const { index } = task.task;
    forget(state, task);
    return { index, attempt: task.attempt, elapsedMs, outcome: { state: "failed", failure } };
  });
  deliver(state, bundle.job.id, results);
  if (bundle.remaining.size === 0) rest(state, bundle.slot);
}

export function refuseKernel(state: SessionState, slot: number, run: number, failure: Failure): void {
  const bundle = bundleIn(state, slot, run);
  if (bundle) failTasks(state, bundle, [...bundle.remaining.values()], failure);
}

export function refuseInputs(
  state: SessionState,
  slot: number,
  run: number,
  failures: readonly { index: TaskIndex; failure: Failure }[],
): void {
  const bundle = bundleIn(state, slot, run);
  for (const { index, failure } of failures) {
    const task = bundle?.remaining.get(index);
    if (bundle && task) failTasks(state, bundle, [task], failure);
  }
}

/**
 * Fails the task that brought a bundle to a bad end. Of several remaining tasks none can be blamed, because reports of finished
 * tasks come with a delay: each task runs again in a bundle of its own.
 */
function blame(state: SessionState, bundle: Bundle, failure: Failure): void {
  closeSandbox(state, bundle.slot);
  const tasks = [...bundle.remaining.values()];
  if (tasks.length === 1) return failTasks(state, bundle, tasks, failure);
  for (const task of tasks) task.alone = true;
  rerunBundle(state, bundle);
}

/** Ends the sandbox; the bundle's remaining tasks run again. */
export function rerunBundle(state: SessionState, bundle: Bundle): void {
  closeSandbox(state, bundle.slot);
  for (const task of bundle.remaining.values()) requeue(state, task);
  bundle.remaining.clear();
  rest(state, bundle.slot);
}

export function endBundle(state: SessionState, slot: number, run: number, reason?: string): void {
  // The results of a bundle end its run, so a run without a failure is over by now.
  const bundle = reason === undefined ? openBundle(state, slot, run) : bundleIn(state, slot, run);
  if (!bundle) return;
  bundle.overrun = reason ?? "The sandbox ended the bundle without a result for this task.";
  bundle.deadline = state.now + lastReportMs;
}

export function endSandbox(
  state: SessionState,
  slotNumber: number,
  sandbox: number,
  end: { readonly kind: "crash" | "memory"; readonly reason: string },
): void {
  const slot = state.slots.get(slotNumber);
  if (slot?.sandbox?.id !== sandbox) return ignore(state, `sandbox ${sandbox} is closed`);
  // A sandbox that dies before it has the kernel is the platform's fault.
  if (slot.work.state === "bundled" && slot.work.phase === "preparing")
    return failSandbox(state, slotNumber, sandbox, end.reason);
  slot.sandbox = undefined;
  const message = end.reason.slice(0, limits.messageChars);
  if (slot.work.state === "bundled") blame(state, slot.work, { kind: end.kind, message });
}

export function failSandbox(state: SessionState, slotNumber: number, sandbox: number, reason: string): void {
  const slot = state.slots.get(slotNumber);
  if (slot?.sandbox?.id !== sandbox) return ignore(state, `sandbox ${sandbox} is closed`);
  slot.sandbox = undefined;
  const delay = Math.max(brokenAtLeastMs, backoffMs(slot.failures++, state.options.random));
  state.out.push({
    type: "writeLog",
    level: "warn",
    message: `No sandbox could be made for slot ${slotNumber}: ${reason}; trying again in ${(delay / 1000).toFixed(1)} s`,
  });
  const { work } = slot;
  slot.work = { state: "broken", retryAt: state.now + delay, reason };
  if (work.state === "bundled") releaseTasks(state, [...work.remaining.values()]);
  if (slot.retiring) rest(state, slot);
}

/** Ends bundles that are over their deadline and sandboxes that idle for too long, and lets broken slots try again. */
export function watchSlots(state: SessionState): void {
  for (const slot of state.slots.values()) {
    const { work } = slot;
    if (work.state === "broken" && state.now >= work.retryAt) slot.work = idle;
    else if (work.state === "bundled" && work.deadline !== undefined && state.now >= work.deadline)
      blame(state, work, lateness(work));
    else if (state.now >= idleEndsAt(state, slot)) closeSandbox(state, slot);
  }
}

function lateness({ phase, overrun, job }: Bundle): Failure {
  if (overrun !== undefined) return { kind: "crash", message: overrun.slice(0, limits.messageChars) };
  const { timeoutMs } = job.descriptor;
  const message =
    phase === "loading"
      ? `The kernel's module did not finish loading within ${Math.max(loadMs, timeoutMs)} ms; a longer timeoutMs gives it more.`
      : `The task ran longer than its timeout of ${timeoutMs} ms.`;
  return { kind: "timeout", message };
}
