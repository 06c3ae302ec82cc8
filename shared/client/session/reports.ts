import type { JobId, Sha256, TaskIndex } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { ClientMessage } from "../../wire/protocol.ts";
import { isConnected, keyOf, send, type Bundle, type HeldTask, type SessionState } from "./state.ts";

const progressEveryMs = 500;
/** Log lines that all kernels of this client may send in a window. Further lines are dropped: a log is no data channel. */
const linesPerWindow = 500;
const lineWindowMs = 5000;

export function noteProgress(bundle: Bundle, index: TaskIndex, fraction: number): void {
  bundle.fraction = fraction;
  bundle.progressOf = index;
}

export function noteCheckpoint(state: SessionState, task: HeldTask, checkpoint: Uint8Array): void {
  task.checkpoint = { state: checkpoint, sentAt: task.checkpoint?.sentAt ?? -Infinity };
  state.checkpointsPending.add(task);
}

export function noteLines(state: SessionState, job: JobId, index: TaskIndex, lines: readonly string[]): void {
  for (const line of lines)
    state.out.push({ type: "writeLog", level: "debug", message: line, details: { job, index } });
  if (!isConnected(state)) return;
  if (state.now - state.lineBudgetRenewedAt >= lineWindowMs) {
    state.lineBudgetRenewedAt = state.now;
    state.lineBudget = linesPerWindow;
  }
  const allowed = lines.slice(0, Math.min(state.lineBudget, limits.logLinesPerMessage));
  state.lineBudget -= allowed.length;
  if (allowed.length > 0) send(state, { type: "log", job, index, lines: allowed });
}

/** Sends progress and checkpoints that are due. */
export function sendDueReports(state: SessionState): void {
  if (!isConnected(state)) return;
  if (state.now - state.progressSentAt >= progressEveryMs) sendProgress(state);
  for (const task of state.checkpointsPending)
    if (state.now >= checkpointDue(state, task)) sendCheckpoint(state, task);
}

function sendProgress(state: SessionState): void {
  const progress: Extract<ClientMessage, { type: "progress" }>["progress"] = [];
  for (const { work } of state.slots.values()) {
    if (work.state !== "bundled" || work.progressOf === undefined) continue;
    const task = work.remaining.get(work.progressOf);
    if (task) progress.push({ ...keyOf(task), fraction: work.fraction });
    work.progressOf = undefined;
  }
  if (progress.length === 0) return;
  send(state, { type: "progress", progress });
  state.progressSentAt = state.now;
}

function checkpointDue(state: SessionState, task: HeldTask): number {
  return (task.checkpoint?.sentAt ?? -Infinity) + state.options.checkpointIntervalMs;
}

function sendCheckpoint(state: SessionState, task: HeldTask): void {
  state.checkpointsPending.delete(task);
  if (!task.checkpoint) return;
  send(state, { type: "checkpoint", ...keyOf(task), state: task.checkpoint.state });
  task.checkpoint = { ...task.checkpoint, sentAt: state.now };
}

/** Sends every pending checkpoint, due or not, before the client leaves. */
export function flushCheckpoints(state: SessionState): void {
  if (isConnected(state)) for (const task of state.checkpointsPending) sendCheckpoint(state, task);
}

/** The last checkpoints may be lost with the connection: the next connection carries them again. */
export function holdCheckpoints(state: SessionState): void {
  for (const { work } of state.slots.values())
    if (work.state === "bundled")
      for (const task of work.remaining.values())
        if (task.checkpoint) {
          task.checkpoint = { ...task.checkpoint, sentAt: -Infinity };
          state.checkpointsPending.add(task);
        }
}

/** When the next progress or checkpoint is due; Infinity without one. */
export function nextReportAt(state: SessionState): number {
  if (!isConnected(state)) return Infinity;
  let at = Infinity;
  for (const task of state.checkpointsPending) at = Math.min(at, checkpointDue(state, task));
  for (const { work } of state.slots.values())
    if (work.state === "bundled" && work.progressOf !== undefined)
      at = Math.min(at, state.progressSentAt + progressEveryMs);
  return at;
}

/** Tells the server what the cache holds, for it prefers clients that have a task's data. */
export function changeCache(state: SessionState, added: readonly Sha256[], removed: readonly Sha256[]): void {
  for (const name of removed) state.cached.delete(name);
  for (const name of added) {
    state.cached.delete(name);
    state.cached.add(name);
  }
  if (!isConnected(state) || added.length + removed.length === 0) return;
  const most = limits.cachedPerMessage;
  send(state, { type: "cached", added: added.slice(-most), removed: removed.slice(-most) });
}
