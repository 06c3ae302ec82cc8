import { limits } from "../../limits.ts";
import type { LeasedTask } from "../../wire/protocol.ts";
import { bundleSize, fitsBundle } from "./credit.ts";
import {
  idle,
  restLeadMs,
  sandboxKey,
  usableSlots,
  type Bundle,
  type HeldJob,
  type HeldTask,
  type SessionState,
  type Slot,
} from "./state.ts";
import { fetchData, releaseQueued } from "./tasks.ts";

/** A slot keeps its job until another job's task has waited this long: another kernel costs a new sandbox. */
const switchAfterMs = 2000;
/** A slot that goes on this much after its rest was only late, and its next rest is shorter; any later, and it had nothing to compute. */
const lateRestMs = 2000;
/** The end of the rest of a slot that has not rested yet. */
const neverRested = -Infinity;

export function changeSlots(state: SessionState, slots: number): void {
  state.slotsChosen = Math.max(0, Math.min(limits.slotsPerClient, Math.floor(slots)));
  if (state.mode === "stopped") return;
  for (let number = 0; number < state.slotsChosen; number++)
    if (!state.slots.has(number))
      state.slots.set(number, {
        number,
        retiring: false,
        sandbox: undefined,
        work: idle,
        restUntil: neverRested,
        failures: 0,
      });
  for (const slot of state.slots.values()) {
    slot.retiring = slot.number >= state.slotsChosen;
    if (slot.work.state !== "bundled") rest(state, slot);
  }
}

/** Changes the share of the time in which slots compute (SPEC.md [VOLUNTEER-3]); rests of the earlier share end. */
export function changeShare(state: SessionState, share: number): void {
  const changed = Math.max(0.01, Math.min(1, share));
  if (changed === state.share) return;
  state.share = changed;
  for (const slot of state.slots.values()) slot.restUntil = neverRested;
}

/** When an idle slot computes again, or asks for its next task; Infinity for one that does not rest. */
export function restChangesAt({ now }: SessionState, { restUntil }: Slot): number {
  if (restUntil <= now) return Infinity;
  return restUntil - restLeadMs > now ? restUntil - restLeadMs : restUntil;
}

function noteBusy(state: SessionState, slot: Slot, { ranSince }: Bundle): void {
  if (ranSince === undefined) return;
  const busyMs = state.now - ranSince;
  state.busyMs += busyMs;
  const dueAt = ranSince - slot.restUntil <= lateRestMs ? slot.restUntil : ranSince;
  slot.restUntil = dueAt + busyMs / state.share;
}

/** An idle slot waits for a task with its sandbox warm; a retiring slot goes. */
export function rest(state: SessionState, slot: Slot): void {
  if (slot.work.state === "bundled") {
    noteBusy(state, slot, slot.work);
    slot.work = idle;
  }
  if (slot.sandbox) slot.sandbox.idleSince = state.now;
  if (!slot.retiring) return;
  closeSandbox(state, slot);
  state.slots.delete(slot.number);
}

/** Time at which the sandbox of an idle slot is ended; Infinity without a sandbox. */
export function idleEndsAt({ options }: SessionState, { work, sandbox }: Slot): number {
  return work.state === "idle" && sandbox ? sandbox.idleSince + options.sandboxIdleMs : Infinity;
}

export function closeSandbox(state: SessionState, slot: Slot): void {
  if (!slot.sandbox) return;
  state.out.push({ type: "closeSandbox", slot: slot.number, sandbox: slot.sandbox.id });
  slot.sandbox = undefined;
}

/** Gives idle slots tasks, first of the job whose kernel the slot's sandbox has. */
export function assignSlots(state: SessionState): void {
  if (state.queuedTasks === 0) return;
  if (state.mode !== "running") return releaseQueued(state);
  for (const slot of state.slots.values()) {
    const job = isFree(state, slot) && slot.sandbox && warmJob(state, slot.sandbox.key);
    if (job) fillSlot(state, slot, job);
  }
  for (const slot of state.slots.values()) {
    if (state.queuedTasks === 0) return;
    const job = isFree(state, slot) && oldestJob(state);
    if (job) fillSlot(state, slot, job);
  }
}

function isFree({ now }: SessionState, { work, retiring, restUntil }: Slot): boolean {
  return work.state === "idle" && !retiring && restUntil <= now;
}

function warmJob(state: SessionState, key: string): HeldJob | undefined {
  const warm = oldestJob(state, key);
  const oldest = warm && oldestJob(state)?.queue.peek();
  return oldest && state.now - oldest.queuedAt < switchAfterMs ? warm : undefined;
}

/** The job whose next task has waited longest; of those that fit a sandbox, with `key`. */
function oldestJob(state: SessionState, key?: string): HeldJob | undefined {
  let found: HeldJob | undefined;
  let since = Infinity;
  for (const job of state.jobs.values()) {
    if (job.tasks.size === 0) continue;
    const head = job.queue.peek();
    if (!head || head.queuedAt >= since || (key !== undefined && sandboxKey(job.descriptor) !== key))
      continue;
    found = job;
    since = head.queuedAt;
  }
  return found;
}

function fillSlot(state: SessionState, slot: Slot, job: HeldJob): void {
  const { kernel, signature, seed, memoryMb, portable, webgpu = false, command } = job.descriptor;
  const tasks = takeBundle(state, job);
  const key = sandboxKey(job.descriptor);
  if (slot.sandbox?.key !== key) closeSandbox(state, slot);
  if (!slot.sandbox) {
    slot.sandbox = { id: state.nextSandbox++, key, idleSince: state.now };
    const { id: sandbox } = slot.sandbox;
    state.out.push({
      type: "openSandbox",
      slot: slot.number,
      sandbox,
      memoryMb,
      webgpu,
      ...(command && { command }),
    });
  }
  const bundle: Bundle = {
    state: "bundled",
    run: state.nextRun++,
    slot,
    job,
    remaining: new Map(),
    startedAt: state.now,
    size: tasks.length,
    phase: "preparing",
    heardAt: state.now,
    ranSince: undefined,
    deadline: undefined,
    fraction: 0,
    progressOf: undefined,
    forgiven: false,
    overrun: undefined,
  };
  const leased: LeasedTask[] = [];
  for (const task of tasks) {
    task.place = bundle;
    bundle.remaining.set(task.task.index, task);
    if (!job.isFetchedAhead) fetchData(state, task);
    leased.push(task.task);
  }
  state.queuedTasks -= tasks.length;
  slot.work = bundle;
  const { id: sandbox } = slot.sandbox;
  state.out.push({
    type: "runTasks",
    slot: slot.number,
    sandbox,
    run: bundle.run,
    kernel,
    signature,
    portable: portable === true,
    seed,
    tasks: leased,
  });
}

/** Takes the next tasks of a job that run as one bundle; the caller accounts for them. */
function takeBundle(state: SessionState, { descriptor, queue, meanMs }: HeldJob): HeldTask[] {
  const size = bundleSize(meanMs, descriptor.timeoutMs, state.queuedTasks, usableSlots(state));
  const tasks: HeldTask[] = [];
  let bytes = 0;
  while (tasks.length < size) {
    const next = queue.peek();
    if (!next) break;
    const { input } = next.task;
    // A task whose input must be fetched would hold up the others of a bundle.
    const single = next.alone || !(input instanceof Uint8Array);
    if (tasks.length > 0 && (single || !fitsBundle(bytes, input.length))) break;
    queue.take();
    tasks.push(next);
    if (single) break;
    bytes += input.length;
  }
  return tasks;
}
