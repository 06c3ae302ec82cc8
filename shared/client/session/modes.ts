import { connect } from "./connection.ts";
import { holdOutbox, restoreResults, resumeUploads } from "./delivery.ts";
import { ignore } from "./ignore.ts";
import type { OutboxEntry } from "../ports.ts";
import { endPrecaches } from "./precache.ts";
import { flushCheckpoints } from "./reports.ts";
import { changeSlots, closeSandbox } from "./slots.ts";
import { isConnected, send, type SessionState } from "./state.ts";
import { forget, releaseQueued } from "./tasks.ts";
import type { Sha256 } from "../../ids.ts";

export function askStart(state: SessionState): void {
  // After a refusal the person has changed something, and tries again.
  state.refusing.clear();
  if (state.connection.state === "refused" && state.mode !== "stopped") return connect(state, 0);
  if (state.mode !== "stopped") return ignore(state, "started already");
  state.mode = "running";
  changeSlots(state, state.slotsChosen);
  state.connection = { state: "loading" };
  state.out.push({ type: "loadState" });
}

/** Takes over what an earlier run of this client left behind, and connects. */
export function restore(
  state: SessionState,
  outbox: readonly OutboxEntry[],
  cached: readonly Sha256[],
): void {
  if (state.connection.state !== "loading") return ignore(state, "nothing is being loaded");
  resumeUploads(state);
  restoreResults(state, outbox);
  for (const name of [...cached].reverse()) state.cached.add(name);
  connect(state, 0);
}

export function pause(state: SessionState): void {
  if (state.mode !== "running") return ignore(state, "not running");
  state.mode = "paused";
  releaseQueued(state);
}

export function resume(state: SessionState): void {
  if (state.mode !== "paused") return ignore(state, "not paused");
  state.mode = "running";
}

export function askDrain(state: SessionState): void {
  if (state.mode === "stopped") {
    state.out.push({ type: "finishStop" });
    return;
  }
  state.mode = "draining";
  flushCheckpoints(state);
  releaseQueued(state);
}

/** Stops once no task runs and every result is with the server, or on disk while there is no connection. */
export function finishDrain(state: SessionState): void {
  if (state.mode !== "draining") return;
  for (const { work } of state.slots.values()) if (work.state === "bundled") return;
  const { connection } = state;
  const underWay = connection.state === "connecting" || connection.state === "greeting";
  if (state.unsent > 0 && (connection.state === "connected" || underWay)) return;
  askStop(state);
}

/** Says goodbye, hands back every lease and ends every sandbox. */
export function askStop(state: SessionState): void {
  if (state.mode === "stopped") {
    state.out.push({ type: "finishStop" });
    return;
  }
  flushCheckpoints(state);
  if (isConnected(state)) send(state, { type: "goodbye" });
  holdOutbox(state);
  endPrecaches(state);
  if (state.connection.state === "waiting") state.out.push({ type: "closeProbe" });
  else if (state.connection.state !== "refused")
    state.out.push({ type: "closeConnection", code: 1000, reason: "goodbye" });
  state.connection = { state: "stopped" };
  state.mode = "stopped";
  for (const job of state.jobs.values()) for (const task of job.tasks.values()) forget(state, task);
  for (const slot of state.slots.values()) closeSandbox(state, slot);
  state.slots.clear();
  state.out.push({ type: "finishStop" });
}
