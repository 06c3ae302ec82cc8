import type { ClientStatus, SlotStatus } from "./status.ts";
import type { Connection, SessionState, Slot } from "./session-state.ts";

/** What a page or log shows of the session now. */
export function statusOf(state: Readonly<SessionState>): ClientStatus {
  return {
    connection: connectionStatus(state.connection),
    mode: state.mode,
    slots: [...state.slots.values()].map(slotStatus),
    queued: state.queuedTasks,
    unsent: state.unsent,
    done: state.done,
    failed: state.failed,
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

function slotStatus({ work }: Slot): SlotStatus {
  if (work.state === "idle") return work;
  if (work.state === "broken") return { state: "broken", reason: work.reason, retryAt: work.retryAt };
  const [index = 0] = work.remaining.keys();
  const { descriptor: job } = work.job;
  const { fraction, startedAt } = work;
  return { state: "running", job, index, bundled: work.size, fraction, startedAt };
}
