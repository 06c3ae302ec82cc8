import type { ErrorBody } from "../../errors.ts";
import type { JobId, Sha256, TaskIndex } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { ClientMessage, JobDescriptor, LeasedTask, LeaseKey, TaskResult } from "../../wire/protocol.ts";
import { LeaseQueue } from "./lease-queue.ts";
import type { ClientIdentity } from "../ports.ts";
import type { SessionEvent, SessionInstruction } from "./events.ts";

export interface SessionOptions {
  readonly identity: ClientIdentity;
  readonly slots: number;
  readonly checkpointIntervalMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export type Connection =
  | { readonly state: "stopped" }
  /** Reading outbox and cache; then it connects. */
  | { readonly state: "loading" }
  /** The socket is being opened; the server must have said welcome by `deadline`. */
  | { readonly state: "connecting"; readonly deadline: number; readonly attempt: number }
  /** Hello is sent. */
  | {
      readonly state: "greeting";
      readonly deadline: number;
      readonly attempt: number;
      /** Named in hello, and handed back since. */
      readonly released: LeaseKey[];
    }
  | {
      readonly state: "connected";
      readonly since: number;
      readonly heartbeatMs: number;
      /** Number of the next try to connect; 0 again once work moved on this connection. */
      attempt: number;
      heardAt: number;
      /** Credit the server knows of; undefined before the first `want`. */
      credit: { readonly tasks: number; readonly slots: number } | undefined;
      /** Set by `bye`. */
      returnAfterMs: number | undefined;
    }
  | { readonly state: "waiting"; readonly retryAt: number; readonly attempt: number; readonly reason: string }
  | { readonly state: "refused"; readonly error: ErrorBody };

export interface HeldJob {
  readonly id: JobId;
  descriptor: JobDescriptor;
  /** Every lease held of it that is not finished. */
  readonly tasks: Map<TaskIndex, HeldTask>;
  readonly queue: LeaseQueue<HeldTask>;
  /** Smoothed run time of one task; undefined before the first. */
  meanMs: number | undefined;
  /** When it was last leased from: measured jobs are worth remembering for a while. */
  usedAt: number;
}

/** A lease that is not finished. */
export interface HeldTask {
  readonly job: HeldJob;
  task: LeasedTask;
  /** Number of the newest lease of this task that we hold. */
  attempt: number;
  /** Run it in a bundle of its own: an earlier bundle that it was in came to a bad end. */
  alone: boolean;
  readonly queuedAt: number;
  place: Place;
  checkpoint: HeldCheckpoint | undefined;
}

type Place =
  | { readonly state: "queued" }
  /** In a slot; all tasks of one bundle share the object. */
  | Bundle
  /** Not held any more; a queue may still have to skip it. */
  | { readonly state: "gone" };

export const queued: Place = { state: "queued" };
export const gone: Place = { state: "gone" };

export interface Bundle {
  readonly state: "bundled";
  readonly run: number;
  readonly slot: Slot;
  readonly job: HeldJob;
  /** Those without a result, in the order they run. */
  readonly remaining: Map<TaskIndex, HeldTask>;
  readonly startedAt: number;
  /** Tasks it began with. */
  readonly size: number;
  /** When a task of it last began, as far as is known. */
  heardAt: number;
  /** `preparing`: sandbox, kernel and inputs are being fetched. `loading`: the kernel's module runs. `running`: its tasks do. */
  phase: "preparing" | "loading" | "running";
  /** When the sandbox is ended; undefined while preparing. */
  deadline: number | undefined;
  fraction: number;
  /** Task that last told its progress, until that is sent. */
  progressOf: TaskIndex | undefined;
  /** Whether the task that runs was given its time again after a sleep. */
  forgiven: boolean;
  /** Why it cannot end well; set once the sandbox says it is over and tasks are missing. */
  overrun: string | undefined;
}

interface HeldCheckpoint {
  readonly state: Uint8Array;
  /** When one was last sent; -Infinity: never. */
  readonly sentAt: number;
}

export interface Slot {
  readonly number: number;
  /** Over the requested number of slots: disappears when idle. */
  retiring: boolean;
  /** Serves one kernel of one customer only, so that no kernel meets the traces of another. */
  sandbox: { readonly id: number; readonly key: string } | undefined;
  work: SlotWork;
  /** Sandboxes in a row that could not be made. */
  failures: number;
}

type SlotWork =
  | { readonly state: "idle" }
  | { readonly state: "broken"; readonly retryAt: number; readonly reason: string }
  | Bundle;

export const idle: SlotWork = { state: "idle" };

/** A result the server has not acknowledged. */
export interface Unacknowledged {
  readonly job: JobId;
  result: TaskResult;
  /** Number of the upload that its output waits for; undefined: it can be sent. */
  upload: number | undefined;
  /** When it was sent on this connection; undefined: not yet. */
  sentAt: number | undefined;
  persisted: boolean;
  /** Acknowledgements to come on this connection that are for an earlier attempt of the same task. */
  staleAcknowledgements: number;
}

/** How far a precache that the server asked for is on this client. */
export interface HeldPrecache {
  haveBytes: number;
  missedBytes: number;
  reason: string | undefined;
  /** No transfer of the precache is under way any more. */
  over: boolean;
  /** The amounts changed since the last report. */
  moved: boolean;
  /** The state in the last report. */
  told: PrecacheState | undefined;
}
export type PrecacheState = "fetching" | "paused" | "done";

export interface SessionState {
  readonly options: SessionOptions;
  mode: "running" | "paused" | "draining" | "stopped";
  connection: Connection;
  /** Slots the person wants. */
  slotsChosen: number;
  readonly slots: Map<number, Slot>;
  readonly jobs: Map<JobId, HeldJob>;
  readonly outbox: Map<JobId, Map<TaskIndex, Unacknowledged>>;
  /** Entries of `outbox`. */
  unsent: number;
  /** Oldest use first. */
  readonly cached: Set<Sha256>;
  /** Leases waiting for a slot. */
  queuedTasks: number;
  roundTripMs: number | undefined;
  /** Smoothed run time of a task of whatever job: a steady stream does not begin anew after each lull. */
  meanMs: number | undefined;
  /** Smoothed size of an inline input. */
  meanInputBytes: number;
  outboxCheckAt: number;
  progressSentAt: number;
  /** Tasks whose newest checkpoint has not been sent. */
  readonly checkpointsPending: Set<HeldTask>;
  /** Precaches of the connection, by id. */
  readonly precaches: Map<number, HeldPrecache>;
  precachesSentAt: number;
  /** Log lines that may still be sent in this window. */
  lineBudget: number;
  lineBudgetRenewedAt: number;
  nextRun: number;
  nextSandbox: number;
  nextUpload: number;
  done: number;
  failed: number;
  now: number;
  /** When the session wants to hear that time has passed. */
  wakeAt: number;
  /** The event being handled. */
  event: SessionEvent;
  /** Instructions of the event being handled. */
  out: SessionInstruction[];
}

export function newState(options: SessionOptions): SessionState {
  return {
    options,
    mode: "stopped",
    connection: { state: "stopped" },
    slotsChosen: options.slots,
    slots: new Map(),
    jobs: new Map(),
    outbox: new Map(),
    unsent: 0,
    cached: new Set(),
    queuedTasks: 0,
    roundTripMs: undefined,
    meanMs: undefined,
    meanInputBytes: 0,
    outboxCheckAt: Infinity,
    progressSentAt: -Infinity,
    checkpointsPending: new Set(),
    precaches: new Map(),
    precachesSentAt: -Infinity,
    lineBudget: 0,
    lineBudgetRenewedAt: -Infinity,
    nextRun: 1,
    nextSandbox: 1,
    nextUpload: 1,
    done: 0,
    failed: 0,
    now: 0,
    wakeAt: Infinity,
    event: { type: "timePassed" },
    out: [],
  };
}

export function newJob(descriptor: JobDescriptor, now: number): HeldJob {
  return {
    id: descriptor.id,
    descriptor,
    tasks: new Map(),
    queue: new LeaseQueue((task) => task.place.state === "queued"),
    meanMs: undefined,
    usedAt: now,
  };
}

export function keyOf(task: HeldTask): LeaseKey {
  return { job: task.job.id, index: task.task.index, attempt: task.attempt };
}

/** What must be equal for two jobs to share a sandbox. */
export function sandboxKey({ kernel, customer, memoryMb }: JobDescriptor): string {
  return `${kernel.sha256} ${memoryMb} ${customer}`;
}

/** Sends a message; the caller knows that the connection is there. */
export function send(state: SessionState, message: ClientMessage): void {
  state.out.push({ type: "sendMessage", message });
}

export function isConnected(state: SessionState): boolean {
  return state.connection.state === "connected";
}

/** Slots that could take a task now or when theirs is done. */
export function usableSlots(state: SessionState): number {
  let count = 0;
  for (const slot of state.slots.values()) if (!slot.retiring && slot.work.state !== "broken") count++;
  return count;
}

/** Names for `hello`: most recently used first. */
export function newestCached(state: SessionState): Sha256[] {
  return [...state.cached].reverse().slice(0, limits.cachedPerMessage);
}
