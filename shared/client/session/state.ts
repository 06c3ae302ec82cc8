import type { ErrorBody } from "../../errors.ts";
import type { JobId, Sha256, TaskIndex } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { Identity } from "../../wire/identity.ts";
import type {
  ClientMessage,
  IdleReason,
  JobDescriptor,
  LeasedTask,
  LeaseKey,
  TaskResult,
} from "../../wire/protocol.ts";
import { LeaseQueue } from "./lease-queue.ts";
import type { ClientDescription } from "../ports.ts";
import type { SessionEvent, SessionInstruction } from "./events.ts";

export interface SessionOptions {
  readonly description: ClientDescription;
  readonly slots: number;
  /** Addresses of servers that the client never forgets, in the order in which they are tried; at least one. */
  readonly servers: readonly string[];
  /** Addresses that an earlier client kept, which are tried before. */
  readonly keptServers?: readonly string[];
  readonly checkpointIntervalMs: number;
  /** Longest time that a slot keeps a sandbox without a task. */
  readonly sandboxIdleMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

interface Credit {
  readonly tasks: number;
  readonly slots: number;
  /** WebGPU of the client, as the server was told last. */
  readonly webgpu: boolean;
}

export type Connection =
  | { readonly state: "stopped" }
  /** Outbox and cache are being read; then the client connects. */
  | { readonly state: "loading" }
  /** The socket is being opened; the server must have said welcome by `deadline`. */
  | { readonly state: "connecting"; readonly deadline: number; readonly attempt: number }
  /** Hello is sent. */
  | {
      readonly state: "greeting";
      readonly deadline: number;
      readonly attempt: number;
      /** Leases named in hello and handed back since. */
      readonly released: LeaseKey[];
      /** As of a connection: the first `want` goes right behind hello. */
      credit: Credit | undefined;
    }
  | {
      readonly state: "connected";
      readonly since: number;
      readonly heartbeatMs: number;
      /** Whether the server has the client's version, and so knows all of its messages. */
      readonly isAlike: boolean;
      /** Number of the next try to connect; 0 again once work moved on this connection. */
      attempt: number;
      heardAt: number;
      /** Credit the server knows of; undefined before the first `want`. */
      credit: Credit | undefined;
      /** A second connection is opened no earlier; Infinity while one is being opened. */
      probeAfter: number;
      /** When the server will be back, from `bye`. */
      returnAfterMs: number | undefined;
    }
  | { readonly state: "waiting"; readonly retryAt: number; readonly attempt: number; readonly reason: string }
  | { readonly state: "refused"; readonly error: ErrorBody };

export type Connected = Extract<Connection, { state: "connected" }>;

export interface HeldJob {
  readonly id: JobId;
  descriptor: JobDescriptor;
  /** Leases of the job that are not finished. */
  readonly tasks: Map<TaskIndex, HeldTask>;
  readonly queue: LeaseQueue<HeldTask>;
  /** Smoothed run time of one task; undefined before the first. */
  meanMs: number | undefined;
  /** Whether data of tasks that wait for a slot is fetched, too: data of the job has come, or a result. */
  isFetchedAhead: boolean;
  /** When the last lease came: the job is remembered for a while for its mean. */
  usedAt: number;
}

/** A lease that is not finished. */
export interface HeldTask {
  readonly job: HeldJob;
  task: LeasedTask;
  /** Attempt of the newest lease of the task. */
  attempt: number;
  /** The task runs in a bundle of its own, because an earlier bundle with it came to a bad end. */
  alone: boolean;
  readonly queuedAt: number;
  place: Place;
  checkpoint: HeldCheckpoint | undefined;
}

type Place =
  | { readonly state: "queued" }
  /** In a slot; the tasks of a bundle share the object. */
  | Bundle
  /** The client holds the task no more; a queue may still contain the task, and skips it. */
  | { readonly state: "gone" };

export const queued: Place = { state: "queued" };
export const gone: Place = { state: "gone" };

export interface Bundle {
  readonly state: "bundled";
  readonly run: number;
  readonly slot: Slot;
  readonly job: HeldJob;
  /** Tasks without a result, in the order they run. */
  readonly remaining: Map<TaskIndex, HeldTask>;
  readonly startedAt: number;
  /** Tasks at the start. */
  readonly size: number;
  /** Time of the last report or of the start of the bundle; the time since then is charged to the tasks of the next report. */
  heardAt: number;
  /** When code of the kernel first ran; undefined before. */
  ranSince: number | undefined;
  /** `preparing`: sandbox, kernel and inputs are on their way. `loading`: the kernel's module runs. `running`: tasks run. */
  phase: "preparing" | "loading" | "running";
  /** When the session ends the sandbox; undefined while preparing. */
  deadline: number | undefined;
  fraction: number;
  /** Task whose progress is to be sent. */
  progressOf: TaskIndex | undefined;
  /** Whether the running task was given its time again after a sleep. */
  forgiven: boolean;
  /** Why the remaining tasks get no result; set once the sandbox has ended the bundle without them. */
  overrun: string | undefined;
}

interface HeldCheckpoint {
  readonly state: Uint8Array;
  /** When a checkpoint of the task was last sent; -Infinity: never. */
  readonly sentAt: number;
}

export interface Slot {
  readonly number: number;
  /** Surplus over the chosen number of slots: the slot disappears when idle. */
  retiring: boolean;
  /** A sandbox serves one kernel of one customer, so that no kernel meets the traces of another. */
  sandbox: { readonly id: number; readonly key: string; idleSince: number } | undefined;
  work: SlotWork;
  /** The slot takes no task before, so that it computes no more than its share of the time. */
  restUntil: number;
  /** Sandboxes in a row that failed. */
  failures: number;
}

type SlotWork =
  | { readonly state: "idle" }
  | { readonly state: "broken"; readonly retryAt: number; readonly reason: string }
  | Bundle;

export const idle: SlotWork = { state: "idle" };

/** A result that the server has not acknowledged. */
export interface Unacknowledged {
  readonly job: JobId;
  result: TaskResult;
  /** Upload that must end before the result can be sent; undefined: none. */
  upload: number | undefined;
  /** When the result was sent on this connection; undefined: not yet. */
  sentAt: number | undefined;
  persisted: boolean;
  /** Acknowledgements of earlier attempts of the task that are still to come on this connection. */
  staleAcknowledgements: number;
}

/** A task that failed here. */
export interface ClientFailure {
  readonly job: JobId;
  readonly name: string;
  readonly index: TaskIndex;
  readonly message: string;
}

/** A precache that the server asked for, and how far it is. */
export interface HeldPrecache {
  haveBytes: number;
  missedBytes: number;
  reason: string | undefined;
  /** No transfer of the precache is under way. */
  over: boolean;
  /** The amounts changed since the last report. */
  moved: boolean;
  /** The state in the last report. */
  told: PrecacheState | undefined;
}
export type PrecacheState = "fetching" | "paused" | "done";

export interface SessionState {
  readonly options: SessionOptions;
  /** The newest identity from the server. */
  identity: Identity | undefined;
  /** Whether kernels can have WebGPU. */
  webgpu: boolean;
  /** Known addresses: first that of the newest connection or of the next try, then the others in the order of their turns. */
  servers: string[];
  /** The addresses as they are kept for the next start. */
  kept: string;
  /** Addresses that have refused this client for good since the last welcome. */
  readonly refusing: Set<string>;
  mode: "running" | "paused" | "draining" | "stopped";
  connection: Connection;
  /** Slots that the person chose. */
  slotsChosen: number;
  readonly slots: Map<number, Slot>;
  /** Share of the time in which a slot computes, above 0 and up to 1. */
  share: number;
  /** Time for which slots have computed, of bundles that ended. */
  busyMs: number;
  readonly jobs: Map<JobId, HeldJob>;
  readonly outbox: Map<JobId, Map<TaskIndex, Unacknowledged>>;
  /** Entries of `outbox`. */
  unsent: number;
  /** Entries of `outbox` that wait for an upload. */
  uploads: number;
  /** Oldest use first. */
  readonly cached: Set<Sha256>;
  /** Tasks that wait for a slot. */
  queuedTasks: number;
  /** Why the server has no task for this client, as it told last; undefined once it had one. */
  idle: IdleReason | undefined;
  roundTripMs: number | undefined;
  /** When results were sent since the server was last heard; undefined: nothing waits for an answer. */
  unansweredSince: number | undefined;
  /** The longest recent time that the server left results without an answer. */
  gapMs: number;
  /** Time from which a shorter time replaces `gapMs`. */
  gapUntil: number;
  /** Longest recent transfer of data of a task; recent bundles count more. */
  fetchMs: number;
  /** When the newest acknowledgement came, and when the newest acknowledged result was sent, on this connection. */
  acknowledged: { readonly at: number; readonly sentAt: number };
  /** Smoothed run time of a task of any job, so that a steady stream does not start anew after a lull. */
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
  /** The last failures, the newest last, for a page that begins to follow the session. */
  failures: readonly ClientFailure[];
  now: number;
  /** When the session wants a `timePassed`. */
  wakeAt: number;
  /** The event being handled. */
  event: SessionEvent;
  /** Instructions of the event being handled. */
  out: SessionInstruction[];
}

export function newState(options: SessionOptions): SessionState {
  const servers = [...new Set([...(options.keptServers ?? []), ...options.servers])];
  return {
    options,
    identity: options.description.identity,
    webgpu: options.description.webgpu,
    servers,
    // A client of one server has nothing to keep but its identity.
    kept: servers.length > 1 ? "" : servers.join(),
    refusing: new Set(),
    mode: "stopped",
    connection: { state: "stopped" },
    slotsChosen: options.slots,
    slots: new Map(),
    share: 1,
    busyMs: 0,
    jobs: new Map(),
    outbox: new Map(),
    unsent: 0,
    uploads: 0,
    cached: new Set(),
    queuedTasks: 0,
    idle: undefined,
    roundTripMs: undefined,
    unansweredSince: undefined,
    gapMs: 0,
    gapUntil: 0,
    fetchMs: 0,
    acknowledged: { at: 0, sentAt: 0 },
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
    failures: [],
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
    isFetchedAhead: false,
    usedAt: now,
  };
}

export function keyOf(task: HeldTask): LeaseKey {
  return { job: task.job.id, index: task.task.index, attempt: task.attempt };
}

/** Jobs with the same key can share a sandbox. */
export function sandboxKey({ kernel, customer, memoryMb, portable, webgpu, command }: JobDescriptor): string {
  return `${kernel.sha256} ${memoryMb} ${portable} ${webgpu} ${command} ${customer}`;
}

/** Sends a message; the caller has checked that the client is connected. */
export function send(state: SessionState, message: ClientMessage): void {
  state.out.push({ type: "sendMessage", message });
}

export function isConnected(state: SessionState): boolean {
  return state.connection.state === "connected";
}

/** A slot that rests asks for its next task this long before it computes again: another client may have that task until then. */
export const restLeadMs = 1000;

/** Slots that take tasks, now or after the task they run. */
export function usableSlots(state: SessionState): number {
  let count = 0;
  for (const slot of state.slots.values())
    if (!slot.retiring && slot.work.state !== "broken" && slot.restUntil - state.now <= restLeadMs) count++;
  return count;
}

/** Names of cached blobs for `hello`, most recently used first. */
export function newestCached(state: SessionState): Sha256[] {
  return [...state.cached].reverse().slice(0, limits.cachedPerMessage);
}
