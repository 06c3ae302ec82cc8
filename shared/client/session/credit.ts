import { limits } from "../../limits.ts";
import { send, usableSlots, type SessionState, type Slot } from "./state.ts";
import { releaseNewest } from "./tasks.ts";

/** A bundle aims to keep a sandbox busy this long: long against a bundle's cost (4 ms), short against a person's patience. */
const bundleMs = 250;
const bundleBytes = 4 * 1024 * 1024;
/** A client's queue holds about this much of inline inputs. */
const queueBytes = 16 * 1024 * 1024;
/** Longer tasks wait on the server, where another client can still take them, until a slot is about to need one. */
const longMs = 60_000;
/** A slot is about to need a long task this long before its end, and twice the time that data of tasks takes. */
const leadMs = 5000;
/** When data takes this long, so many tasks a slot are fetched ahead before the first of their job ends. */
const slowDataMs = 250;
const firstAhead = 2;
/** A queue lasts through interruptions of the network like the longest recent one, from this length up to that. */
const leastGapMs = 2000;
const longestGapMs = 20_000;
/** Clocks resolve no less, and a mean of 0 would ask for every task. */
const leastMs = 0.005;
/** A task that runs longer than this, and than its job's mean, counts with its time so far. */
const slowTaskMs = 250;

/** Smoothed run time of a job's tasks after `count` more of them took `totalMs` together. */
export function updateMean(meanMs: number | undefined, count: number, totalMs: number): number {
  const sample = Math.max(leastMs, totalMs / count);
  if (meanMs === undefined) return sample;
  // The first calls of a kernel run unoptimised, so several much faster tasks replace the mean at once.
  if (count >= 4 && sample < meanMs / 2) return sample;
  const weight = Math.min(0.5, 0.2 * count);
  return meanMs + weight * (sample - meanMs);
}

/** Smoothed round trip: falls at once and rises slowly, so that the client's own queueing does not feed it. */
export function updateRoundTrip(roundTripMs: number | undefined, sampleMs: number): number {
  if (roundTripMs === undefined || sampleMs < roundTripMs) return sampleMs;
  return roundTripMs + 0.1 * (sampleMs - roundTripMs);
}

/**
 * How many tasks of one job go into a sandbox at once: 1 before the first result. A bundle's results may come together, so the
 * whole bundle must end well before one task's timeout.
 */
export function bundleSize(
  meanMs: number | undefined,
  timeoutMs: number,
  queued: number,
  slots: number,
): number {
  if (meanMs === undefined) return 1;
  const byTime = Math.floor(Math.min(bundleMs, timeoutMs / 4) / meanMs);
  const share = Math.ceil(queued / Math.max(1, slots));
  return Math.max(1, Math.min(byTime, share, limits.tasksPerMessage));
}

/** Whether one more inline input of `bytes` fits into a bundle that has `taken` bytes. */
export function fitsBundle(taken: number, bytes: number): boolean {
  return taken + bytes <= bundleBytes;
}

interface CreditInput {
  /** Slots that can compute now. */
  readonly slots: number;
  /** Mean run time of a task; undefined before the first result. */
  readonly meanMs: number | undefined;
  /** From sending a result to the server's answer; undefined before the first. */
  readonly roundTripMs: number | undefined;
  /** Mean size of an inline input. */
  readonly inputBytes: number;
  /** Longest recent interruption of the network, and longest recent transfer of data of a task. */
  readonly gapMs?: number;
  readonly fetchMs?: number;
}

/**
 * How many leases to hold beyond one a slot, so that no slot waits for the server: as many as the slots finish in
 * a few round trips. 0 for tasks of unknown length (the first may take an hour) and for very long ones.
 */
export function queueBeyondSlots(input: CreditInput): number {
  const { slots, meanMs, roundTripMs = 50, gapMs = 0, fetchMs = 0 } = input;
  if (slots === 0 || meanMs === undefined || meanMs > longMs) return 0;
  const usualMs = Math.min(1000, 100 + 3 * roundTripMs);
  const lastingMs = gapMs < leastGapMs ? 0 : 1.25 * gapMs;
  const horizonMs = Math.min(longestGapMs, Math.max(usualMs + 2 * fetchMs, lastingMs));
  const computing = meanMs < bundleMs ? bundleMs : 0;
  const byTime = Math.ceil((slots * (horizonMs + computing)) / meanMs);
  const byBytes = Math.floor(queueBytes / Math.max(1, input.inputBytes));
  return Math.max(1, Math.min(byTime, byBytes, limits.tasksHeldPerClient - slots));
}

/** Whether credit changed enough to tell the server: small corrections are not worth a message each. */
function creditMoved(sent: number, now: number): boolean {
  return (sent === 0) !== (now === 0) || now > sent * 1.25 || now < sent * 0.6;
}

/** Tells the server how many leases this client is willing to hold, when that changed, and hands back a large surplus. */
export function settleCredit(state: SessionState): void {
  const { connection } = state;
  // The first want goes right behind the hello (SPEC.md [PAGE-2]).
  if (connection.state !== "connected" && connection.state !== "greeting") return;
  const slots = state.mode === "running" ? usableSlots(state) : 0;
  const { meanMs, known: isPaceKnown } = pace(state, slots);
  const { roundTripMs, meanInputBytes, gapMs, fetchMs } = state;
  const input = {
    slots,
    meanMs: meanMs && meanMs / state.share,
    roundTripMs,
    inputBytes: meanInputBytes,
    gapMs,
    fetchMs,
  };
  const ahead = meanMs === undefined && fetchMs >= slowDataMs;
  const queue = ahead || (meanMs ?? 0) > longMs ? slotsEnding(state) : queueBeyondSlots(input);
  // Outputs on their way leave room for as many tasks, or their slots would wait for them.
  const uploading = Math.min(state.uploads, slots);
  const tasks = slots === 0 ? 0 : Math.min(limits.tasksHeldPerClient, slots + queue + uploading);
  const sent = connection.credit;
  const { webgpu } = state;
  const known = sent?.webgpu ?? webgpu;
  const isNews = webgpu !== known && connection.state === "connected" && connection.isAlike;
  if (!sent || sent.slots !== slots || creditMoved(sent.tasks, tasks) || isNews) {
    send(state, { type: "want", tasks, slots, ...(isNews && { webgpu }) });
    connection.credit = { tasks, slots, webgpu: isNews ? webgpu : known };
  }
  // A queue sized for tiny tasks holds too many long ones: other clients can have those sooner. Their data stays in the cache.
  if (
    connection.state === "connected" &&
    isPaceKnown &&
    state.queuedTasks > (ahead ? queue : 4 * queue + 2 * slots)
  )
    releaseNewest(state, state.queuedTasks - queue);
}

/**
 * The mean run time that matches the rate at which the slots finish tasks now. A slot whose task is of a job never
 * measured counts as finishing nothing: its first task may take an hour.
 */
function pace(state: SessionState, slots: number): { meanMs: number | undefined; known: boolean } {
  let perMs = 0;
  let known = true;
  for (const { work, retiring } of state.slots.values()) {
    if (retiring || work.state === "broken") continue;
    if (work.state === "idle") {
      if (state.meanMs !== undefined) perMs += 1 / state.meanMs;
      continue;
    }
    const since = state.now - work.heardAt;
    const { meanMs } = work.job;
    if (meanMs !== undefined) perMs += 1 / (since >= slowTaskMs ? Math.max(meanMs, since) : meanMs);
    else if (since < slowTaskMs) known = false;
  }
  return { meanMs: perMs > 0 ? slots / perMs : undefined, known };
}

/** Tasks for the slots that are about to need a long one, or may be: whose first task of a job has run for less than a minute. */
function slotsEnding(state: SessionState): number {
  let count = 0;
  for (const slot of state.slots.values()) {
    const isEnding = state.now >= slotEndsAt(state, slot);
    if (!isFirst(slot)) count += Number(isEnding);
    else if (!isEnding) count += firstAhead;
  }
  return count;
}

function isFirst({ work }: Slot): boolean {
  return work.state === "bundled" && work.phase === "running" && work.job.meanMs === undefined;
}

/** When the slot is about to need its next long task, or when its first task of a job counts as long; Infinity: not known. */
function slotEndsAt({ fetchMs }: SessionState, { work, retiring }: Slot): number {
  if (retiring || work.state !== "bundled" || work.phase !== "running") return Infinity;
  const { meanMs } = work.job;
  if (meanMs === undefined) return work.heardAt + longMs;
  return meanMs > longMs ? work.heardAt + meanMs - leadMs - 2 * fetchMs : Infinity;
}

/** When credit is settled again without an event: while more tasks wait than the slots take next, or when a long task ends. */
export function nextCreditAt(state: SessionState): number {
  if (state.connection.state !== "connected") return Infinity;
  if (state.queuedTasks > usableSlots(state)) return state.now + slowTaskMs;
  let at = Infinity;
  for (const slot of state.slots.values()) {
    const endsAt = slotEndsAt(state, slot);
    if (endsAt > state.now) at = Math.min(at, endsAt);
  }
  return at;
}
