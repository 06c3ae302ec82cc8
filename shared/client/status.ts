import type { ErrorBody } from "../errors.ts";
import type { IdleReason, JobDescriptor } from "../wire/protocol.ts";
import type { Connection, SessionState, Slot } from "./session/state.ts";

/** State of a client for a page or log. The session makes a new object for each change. */
export interface ClientStatus {
  readonly connection:
    | { readonly state: "connecting" }
    | { readonly state: "connected" }
    /** `retryAt` on the shell's clock. */
    | { readonly state: "waiting"; readonly retryAt: number; readonly reason: string }
    /** The client does not retry: a person has to act. */
    | { readonly state: "refused"; readonly error: ErrorBody }
    | { readonly state: "stopped" };
  readonly mode: "running" | "paused" | "draining" | "stopped";
  readonly slots: readonly SlotStatus[];
  /** Leases that wait for a slot. */
  readonly queued: number;
  /** Finished results that the server has not acknowledged yet. */
  readonly unsent: number;
  readonly done: number;
  readonly failed: number;
  /** Time for which slots have computed, added up over the slots. */
  readonly busyMs: number;
  /** Why the server has no task for this client; absent while it has, or where it does not say. */
  readonly idle?: IdleReason | undefined;
}

export type SlotStatus =
  /** `restUntil`: the slot has used its share of the time, and computes again then (on the shell's clock). */
  | { readonly state: "idle"; readonly restUntil?: number }
  /** The shell could not make a sandbox; the slot tries again at `retryAt` (on the shell's clock). */
  | { readonly state: "broken"; readonly reason: string; readonly retryAt: number }
  | {
      readonly state: "running";
      readonly job: JobDescriptor;
      readonly index: number;
      /** Tasks of the running bundle: 1 for a large task. */
      readonly bundled: number;
      readonly fraction: number;
      readonly startedAt: number;
    };

/** The status of the session now. */
export function statusOf(state: Readonly<SessionState>): ClientStatus {
  return {
    connection: connectionStatus(state.connection),
    mode: state.mode,
    slots: [...state.slots.values()].map((slot) => slotStatus(state, slot)),
    queued: state.queuedTasks,
    unsent: state.unsent,
    done: state.done,
    failed: state.failed,
    busyMs: Math.round(busyMs(state)),
    idle: state.idle,
  };
}

function connectionStatus(connection: Connection): ClientStatus["connection"] {
  switch (connection.state) {
    case "loading":
    case "connecting":
    case "greeting":
      return { state: "connecting" };
    case "connected":
    case "stopped":
      return { state: connection.state };
    case "waiting":
      return { state: "waiting", retryAt: connection.retryAt, reason: connection.reason };
    case "refused":
      return { state: "refused", error: connection.error };
  }
}

function busyMs(state: Readonly<SessionState>): number {
  let sum = state.busyMs;
  for (const { work } of state.slots.values())
    if (work.state === "bundled" && work.ranSince !== undefined) sum += state.now - work.ranSince;
  return sum;
}

function slotStatus({ now }: Readonly<SessionState>, { work, restUntil }: Slot): SlotStatus {
  if (work.state === "idle") return restUntil > now ? { state: "idle", restUntil } : work;
  if (work.state === "broken") return { state: "broken", reason: work.reason, retryAt: work.retryAt };
  const [index = 0] = work.remaining.keys();
  const { descriptor: job } = work.job;
  const { fraction, startedAt } = work;
  return { state: "running", job, index, bundled: work.size, fraction, startedAt };
}
