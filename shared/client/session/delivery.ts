import type { BlobName } from "../../data-reference.ts";
import type { JobId, TaskIndex } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { Failure, LeaseKey, TaskResult } from "../../wire/protocol.ts";
import { updateRoundTrip } from "./credit.ts";
import { frameBytes, resultBytes } from "../frame-writer.ts";
import type { OutboxEntry } from "../ports.ts";
import { ignore } from "./ignore.ts";
import { isConnected, send, type SessionState, type Unacknowledged } from "./state.ts";

/** A result that cost at least this much is on disk before the server has it: computing it again would cost more. */
const worthKeepingMs = 100;
/** Unacknowledged for this long, any result is kept. */
const keepAfterMs = 1000;
/** Unacknowledged for this long on a living connection, it is sent again: the server's disk may have been full. */
const resendAfterMs = 30_000;

/** Takes results of one job: sends them, and keeps them until the server has them. */
export function deliver(state: SessionState, job: JobId, results: readonly TaskResult[]): void {
  const ready: TaskResult[] = [];
  const kept: OutboxEntry[] = [];
  for (const result of results) {
    if (result.outcome.state === "done") state.done++;
    else state.failed++;
    const entry = addResult(state, job, result);
    if (entry.persisted) kept.push({ job, result });
    if (entry.upload === undefined) ready.push(result);
  }
  if (kept.length > 0) state.out.push({ type: "saveResults", entries: kept });
  if (isConnected(state)) sendResults(state, job, ready);
}

/** Results an earlier run of this client could not deliver. */
export function restoreResults(state: SessionState, entries: readonly OutboxEntry[]): void {
  for (const { job, result } of entries) {
    if (state.outbox.get(job)?.has(result.index)) continue;
    addResult(state, job, result).persisted = true;
  }
}

/** Uploads that were given up when this client was stopped. */
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
  // The server answers by index only: the answer to an earlier attempt comes first.
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
  if (state.outboxCheckAt === Infinity) state.outboxCheckAt = state.now + keepAfterMs;
  return entry;
}

/** An output that has to become a blob first. */
function largeOutput({ outcome }: TaskResult): Uint8Array | undefined {
  if (outcome.state !== "done" || !(outcome.output instanceof Uint8Array)) return undefined;
  return outcome.output.length > limits.inlineValueBytes ? outcome.output : undefined;
}

/** Whether an upload's output is still waited for. */
export function isUploadWanted(state: Readonly<SessionState>, upload: number): boolean {
  return uploadingEntry(state, upload) !== undefined;
}

function uploadingEntry(state: Readonly<SessionState>, upload: number): Unacknowledged | undefined {
  for (const entries of state.outbox.values())
    for (const entry of entries.values()) if (entry.upload === upload) return entry;
  return undefined;
}

/** The output is a blob on the server now; the result follows. */
export function takeUploaded(state: SessionState, upload: number, name: BlobName): void {
  const entry = uploadingEntry(state, upload);
  if (entry?.result.outcome.state !== "done") return ignore(state, `no result waits for upload ${upload}`);
  settleUpload(state, entry, { ...entry.result, outcome: { ...entry.result.outcome, output: name } });
}

export function refuseOutput(state: SessionState, upload: number, failure: Failure): void {
  const entry = uploadingEntry(state, upload);
  if (!entry) return ignore(state, `no result waits for upload ${upload}`);
  state.done--;
  state.failed++;
  settleUpload(state, entry, { ...entry.result, outcome: { state: "failed", failure } });
}

function settleUpload(state: SessionState, entry: Unacknowledged, result: TaskResult): void {
  const { job } = entry;
  entry.result = result;
  entry.upload = undefined;
  if (entry.persisted) state.out.push({ type: "saveResults", entries: [{ job, result }] });
  if (!isConnected(state)) return;
  entry.sentAt = state.now;
  sendResults(state, job, [result]);
}

/** The server has these on disk. Unknown ones are harmless: it may say so twice. */
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
    // Said of an earlier attempt once more: this one is still being uploaded.
    if (entry?.sentAt === undefined) {
      unknown++;
      continue;
    }
    if (!measured) {
      state.roundTripMs = updateRoundTrip(state.roundTripMs, state.now - entry.sentAt);
      measured = true;
    }
    removeEntry(state, entry, forgotten);
  }
  if (forgotten.length > 0) state.out.push({ type: "forgetResults", keys: forgotten });
  if (unknown > 0) ignore(state, `${unknown} of the results do not wait for it`);
}

/** Removes a result that nobody wants; of any attempt unless one is named. @returns whether it was here */
export function forgetResult(state: SessionState, job: JobId, index: TaskIndex, attempt?: number): boolean {
  const entry = state.outbox.get(job)?.get(index);
  if (!entry || (attempt !== undefined && entry.result.attempt !== attempt)) return false;
  removeEntry(state, entry);
  return true;
}

/** With `forgotten` the caller tells the disk, for many at once. */
function removeEntry(state: SessionState, entry: Unacknowledged, forgotten?: LeaseKey[]): void {
  const { job, result, persisted } = entry;
  const entries = state.outbox.get(job);
  if (!entries?.delete(result.index)) return;
  if (entries.size === 0) state.outbox.delete(job);
  state.unsent--;
  if (!persisted) return;
  const key = { job, index: result.index, attempt: result.attempt };
  if (forgotten) forgotten.push(key);
  else state.out.push({ type: "forgetResults", keys: [key] });
}

/**
 * A lease of a task whose result is here: an output is delivered again under the new lease. A failure is not: the server
 * has counted it and wants another attempt.
 */
export function redeliver(state: SessionState, job: JobId, index: TaskIndex, attempt: number): boolean {
  const entry = state.outbox.get(job)?.get(index);
  if (entry?.result.outcome.state !== "done") return false;
  if (attempt <= entry.result.attempt) {
    ignore(state, `attempt ${attempt} of task ${index} is older than its result`);
    return true;
  }
  const renewed = addResult(state, job, { ...entry.result, attempt });
  // An answer to either delivery says that the output is on disk.
  renewed.staleAcknowledgements = 0;
  if (renewed.persisted) state.out.push({ type: "saveResults", entries: [{ job, result: renewed.result }] });
  if (renewed.upload === undefined) sendResults(state, job, [renewed.result]);
  return true;
}

/** After a welcome: everything that is finished goes out. */
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

/** In messages that stay well under the frame limit. */
function sendResults(state: SessionState, job: JobId, results: readonly TaskResult[]): void {
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

/** The connection is gone: nothing counts as sent, and everything is kept. */
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

/** Keeps what waits for its acknowledgement too long, and after much longer sends it again. */
export function resendOverdue(state: SessionState): void {
  if (state.now < state.outboxCheckAt) return;
  state.outboxCheckAt = state.unsent > 0 ? state.now + keepAfterMs : Infinity;
  if (!isConnected(state)) return;
  const sentBefore = (ms: number) => (entry: Unacknowledged) =>
    entry.sentAt !== undefined && entry.sentAt <= state.now - ms;
  persistWhere(state, sentBefore(keepAfterMs));
  for (const [job, entries] of state.outbox)
    sendEntries(state, job, [...entries.values()].filter(sentBefore(resendAfterMs)));
}
