import type { ServerMessage } from "../../wire/protocol.ts";
import type { SessionEvent } from "./events.ts";
import { ignore } from "./ignore.ts";
import { isConnected, send, type HeldPrecache, type PrecacheState, type SessionState } from "./state.ts";

/** A server asks for fewer precaches at one time. */
const maxPrecaches = 64;
const reportEveryMs = 500;

export function takePrecache(
  state: SessionState,
  { id, blobs }: Extract<ServerMessage, { type: "precache" }>,
): void {
  if (state.precaches.has(id)) return ignore(state, `precache ${id} is here already`);
  if (state.precaches.size >= maxPrecaches)
    return ignore(state, `${maxPrecaches} precaches are here already`);
  const held = { haveBytes: 0, missedBytes: 0, reason: undefined, over: false, moved: true, told: undefined };
  state.precaches.set(id, held);
  state.out.push({ type: "startPrecache", id, blobs });
}

export function endPrecache(state: SessionState, id: number): void {
  if (!state.precaches.delete(id)) return ignore(state, `precache ${id} is over`);
  state.out.push({ type: "stopPrecache", id });
}

/** Precaches end with their connection: the next connection brings those that still stand. */
export function endPrecaches(state: SessionState): void {
  for (const id of state.precaches.keys()) endPrecache(state, id);
}

export function notePrecache(
  state: SessionState,
  { id, haveBytes, missedBytes, reason, over }: Extract<SessionEvent, { type: "precacheMoved" }>,
): void {
  const held = state.precaches.get(id);
  if (!held) return ignore(state, `precache ${id} is over`);
  Object.assign(held, { haveBytes, missedBytes, reason, over, moved: true });
}

/** Reports how far precaches are: at once when a precache's state changed, its amounts every 500 ms. */
export function sendPrecaches(state: SessionState): void {
  if (state.precaches.size === 0 || !isConnected(state)) return;
  const due = state.now - state.precachesSentAt >= reportEveryMs;
  for (const [id, held] of state.precaches) {
    const now = stateOf(state, held);
    if (now === held.told && !(due && held.moved)) continue;
    const { haveBytes, missedBytes, reason } = held;
    send(state, {
      type: "precached",
      id,
      state: now,
      haveBytes,
      missedBytes,
      ...(reason !== undefined && { reason }),
    });
    held.told = now;
    held.moved = false;
    state.precachesSentAt = state.now;
  }
}

/** When the next report is due; Infinity without one. */
export function nextPrecacheAt(state: SessionState): number {
  if (!isConnected(state)) return Infinity;
  for (const { moved } of state.precaches.values()) if (moved) return state.precachesSentAt + reportEveryMs;
  return Infinity;
}

function stateOf({ mode }: SessionState, { over }: HeldPrecache): PrecacheState {
  if (over) return "done";
  return mode === "running" ? "fetching" : "paused";
}
