import type { BlobName } from "../../data-reference.ts";
import type { JobId, TaskIndex } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { Failure, LeaseKey, TaskResult } from "../../wire/protocol.ts";
import { updateRoundTrip } from "./credit.ts";
import { frameBytes, resultBytes } from "../frame-writer.ts";
import type { OutboxEntry } from "../ports.ts";
import { ignore } from "./ignore.ts";
import { isConnected, send, type SessionState, type Unacknowledged } from "./state.ts";

/** Results of tasks that ran this long go to disk before they are sent: computing them again would cost more. */
const worthKeepingMs = 100;
/** A result that is unacknowledged for this long goes to disk. */
const keepAfterMs = 1000;
/**
 * A result is sent again when no acknowledgement came for this long, or results that were sent so much later are acknowledged: the
 * server's disk may have been full. The results in front of it may take minutes (SPEC.md [MILES-2]).
 */
const resendAfterMs = 30_000;

/** As many failures as a page shows. */
const failuresKept = 12;

/** Sends results of one job, and keeps them until the server acknowledges them. */
export function deliver(state: SessionState, job: JobId, results: readonly TaskResult[]): void {
  const ready: TaskResult[] = [];
  const kept: OutboxEntry[] = [];
  for (const result of results) {
    if (result.outcome.state === "done") state.done++;
    else noteFailure(state, job, result.index, result.outcome.failure.message);
    const entry = addResult(state, job, result);
    if (entry.persisted) kept.push({ job, result });
    if (entry.upload === undefined) ready.push(result);
  }
  if (kept.length > 0) state.out.push({ type: "saveResults", entries: kept });
  if (isConnected(state)) sendResults(state, job, ready);
}

function noteFailure(state: SessionState, job: JobId, index: TaskIndex, message: string): void {
  state.failed++;
  const name = state.jobs.get(job)?.descriptor.name ?? "";
  state.failures = [...state.failures.slice(1 - failuresKept), { job, name, index, message }];
}

/** Takes over results that an earlier run of this client could not deliver. */
export function restoreResults(state: SessionState, entries: readonly OutboxEntry[]): void {
  for (const { job, result } of entries) {
    if (state.outbox.get(job)?.has(result.index)) continue;
    addResult(state, job, result).persisted = true;
  }
}

/** Starts uploads anew that the stop of this client ended. */
export function resumeUploads(state: SessionState): void {
  for (const entries of state.outbox.values())
    for (const { upload, result } of entries.values()) {
      const bytes = largeOutput(result);
      if (upload !== undefined && bytes) state.out.push({ type: "uploadOutput", upload, bytes });
    }
}

function addResult(state: SessionState, job: JobId, result: TaskResult): Unacknowledged {
  const connected = isConnected(state);
  const earlier = state.outbox.get(job)?.get(result.index);
  // An acknowledgement names the index alone, and that of the earlier attempt comes first.
  const stale = earlier ? earlier.staleAcknowledgements + (earlier.sentAt === undefined ? 0 : 1) : 0;
  if (earlier) removeEntry(state, earlier);
  const large = largeOutput(result);
  const entry: Unacknowledged = {
    job,
    result,
    upload: large && state.nextUpload++,
    sentAt: connected && !large ? state.now : undefined,
    persisted: !connected || result.elapsedMs >= worthKeepingMs,
    staleAcknowledgements: stale,
  };
  if (large && entry.upload !== undefined)
    state.out.push({ type: "uploadOutput", upload: entry.upload, bytes: large });
  let entries = state.outbox.get(job);
  if (!entries) state.outbox.set(job, (entries = new Map()));
  entries.set(result.index, entry);
  state.unsent++;
  if (large) state.uploads++;
  if (state.outboxCheckAt === Infinity) state.outboxCheckAt = state.now + keepAfterMs;
  return entry;
}

/** The output, when it is too large to travel in a result; it becomes a blob first. */
export function largeOutput({ outcome }: TaskResult): Uint8Array | undefined {
  if (outcome.state !== "done" || !(outcome.output instanceof Uint8Array)) return undefined;
  return outcome.output.length > limits.inlineValueBytes ? outcome.output : undefined;
}

/** Whether a result still waits for an upload. */
export function isUploadWanted(state: Readonly<SessionState>, upload: number): boolean {
  return uploadingEntry(state, upload) !== undefined;
}

function uploadingEntry(state: Readonly<SessionState>, upload: number): Unacknowledged | undefined {
  for (const entries of state.outbox.values())
    for (const entry of entries.values()) if (entry.upload === upload) return entry;
  return undefined;
}

/** Sends a result whose output is a blob on the server now. */
export function takeUploaded(state: SessionState, upload: number, name: BlobName): void {
  const entry = uploadingEntry(state, upload);
  if (entry?.result.outcome.state !== "done") return ignore(state, `no result waits for upload ${upload}`);
  settleUpload(state, entry, { ...entry.result, outcome: { ...entry.result.outcome, output: name } });
}

export function refuseOutput(state: SessionState, upload: number, failure: Failure): void {
  const entry = uploadingEntry(state, upload);
  if (!entry) return ignore(state, `no result waits for upload ${upload}`);
  state.done--;
  noteFailure(state, entry.job, entry.result.index, failure.message);
  settleUpload(state, entry, { ...entry.result, outcome: { state: "failed", failure } });
}

function settleUpload(state: SessionState, entry: Unacknowledged, result: TaskResult): void {
  const { job } = entry;
  entry.result = result;
  entry.upload = undefined;
  state.uploads--;
  if (entry.persisted) state.out.push({ type: "saveResults", entries: [{ job, result }] });
  if (!isConnected(state)) return;
  entry.sentAt = state.now;
  sendResults(state, job, [result]);
}

/** Removes results that the server has on disk. The server may acknowledge a result twice. */
export function acknowledge(state: SessionState, job: JobId, indexes: readonly TaskIndex[]): void {
  const entries = state.outbox.get(job);
  const forgotten: LeaseKey[] = [];
  let unknown = 0;
  let measured = false;
  for (const index of indexes) {
    const entry = entries?.get(index);
    if (entry && entry.staleAcknowledgements > 0) {
      entry.staleAcknowledgements--;
      continue;
    }
    // A result that is still being uploaded cannot be meant: the acknowledgement repeats that of an earlier attempt.
    if (entry?.sentAt === undefined) {
      unknown++;
      continue;
    }
    if (!measured) {
      state.roundTripMs = updateRoundTrip(state.roundTripMs, state.now - entry.sentAt);
      measured = true;
    }
    state.acknowledged = { at: state.now, sentAt: Math.max(state.acknowledged.sentAt, entry.sentAt) };
    removeEntry(state, entry, forgotten);
  }
  if (forgotten.length > 0) state.out.push({ type: "forgetResults", keys: forgotten });
  if (unknown > 0) ignore(state, `${unknown} of the results do not wait for it`);
}

/** Removes a result that the server does not want; of any attempt unless told. @returns whether the result was here */
export function forgetResult(state: SessionState, job: JobId, index: TaskIndex, attempt?: number): boolean {
  const entry = state.outbox.get(job)?.get(index);
  if (!entry || (attempt !== undefined && entry.result.attempt !== attempt)) return false;
  removeEntry(state, entry);
  return true;
}

/** @param forgotten - collects keys for one instruction of the caller */
function removeEntry(state: SessionState, entry: Unacknowledged, forgotten?: LeaseKey[]): void {
  const { job, result, persisted } = entry;
  const entries = state.outbox.get(job);
  if (!entries?.delete(result.index)) return;
  if (entries.size === 0) state.outbox.delete(job);
  state.unsent--;
  if (entry.upload !== undefined) state.uploads--;
  if (!persisted) return;
  const key = { job, index: result.index, attempt: result.attempt };
  if (forgotten) forgotten.push(key);
  else state.out.push({ type: "forgetResults", keys: [key] });
}

/**
 * Delivers the output of a task again that is leased anew. A failure is not delivered again: the server has counted it and wants
 * another attempt.
 * @returns whether the task needs no run
 */
export function redeliver(state: SessionState, job: JobId, index: TaskIndex, attempt: number): boolean {
  const entry = state.outbox.get(job)?.get(index);
  if (entry?.result.outcome.state !== "done") return false;
  if (attempt <= entry.result.attempt) {
    ignore(state, `attempt ${attempt} of task ${index} is older than its result`);
    return true;
  }
  const renewed = addResult(state, job, { ...entry.result, attempt });
  // An acknowledgement of either delivery says that the output is on disk.
  renewed.staleAcknowledgements = 0;
  if (renewed.persisted) state.out.push({ type: "saveResults", entries: [{ job, result: renewed.result }] });
  if (renewed.upload === undefined) sendResults(state, job, [renewed.result]);
  return true;
}

/** Sends every result, after a welcome. */
export function deliverOutbox(state: SessionState): void {
  for (const [job, entries] of state.outbox) sendEntries(state, job, [...entries.values()]);
}

function sendEntries(state: SessionState, job: JobId, entries: readonly Unacknowledged[]): void {
  const ready = entries.filter(({ upload }) => upload === undefined);
  for (const entry of ready) {
    entry.sentAt = state.now;
    entry.staleAcknowledgements = 0;
  }
  sendResults(
    state,
    job,
    ready.map(({ result }) => result),
  );
}

/** Sends results in messages that stay well under the frame limit. */
function sendResults(state: SessionState, job: JobId, results: readonly TaskResult[]): void {
  if (results.length > 0) state.unansweredSince ??= state.now;
  let part: TaskResult[] = [];
  let bytes = 0;
  for (const result of results) {
    const size = resultBytes([result]);
    if (part.length > 0 && (part.length === limits.tasksPerMessage || bytes + size > frameBytes)) {
      send(state, { type: "results", job, results: part });
      part = [];
      bytes = 0;
    }
    part.push(result);
    bytes += size;
  }
  if (part.length > 0) send(state, { type: "results", job, results: part });
}

/** Without a connection no result counts as sent, and every result goes to disk. */
export function holdOutbox(state: SessionState): void {
  for (const entries of state.outbox.values())
    for (const entry of entries.values()) {
      entry.sentAt = undefined;
      entry.staleAcknowledgements = 0;
    }
  persistWhere(state, () => true);
}

function persistWhere(state: SessionState, worth: (entry: Unacknowledged) => boolean): void {
  const kept: OutboxEntry[] = [];
  for (const entries of state.outbox.values())
    for (const entry of entries.values()) {
      if (entry.persisted || !worth(entry)) continue;
      entry.persisted = true;
      kept.push({ job: entry.job, result: entry.result });
    }
  if (kept.length > 0) state.out.push({ type: "saveResults", entries: kept });
}

/** Puts results on disk that wait long for their acknowledgement, and sends those again that wait much longer. */
export function resendOverdue(state: SessionState): void {
  if (state.now < state.outboxCheckAt) return;
  state.outboxCheckAt = state.unsent > 0 ? state.now + keepAfterMs : Infinity;
  if (!isConnected(state)) return;
  const sentBefore = (at: number) => (entry: Unacknowledged) =>
    entry.sentAt !== undefined && entry.sentAt <= at;
  persistWhere(state, sentBefore(state.now - keepAfterMs));
  const { at, sentAt } = state.acknowledged;
  const overdue = sentBefore((at + resendAfterMs <= state.now ? state.now : sentAt) - resendAfterMs);
  for (const [job, entries] of state.outbox) sendEntries(state, job, [...entries.values()].filter(overdue));
}

/** Rough size of the outputs that are not acknowledged, in bytes. */
export function unacknowledgedBytes(state: SessionState): number {
  let bytes = 0;
  for (const entries of state.outbox.values())
    for (const { result } of entries.values()) bytes += resultBytes([result]);
  return bytes;
}
