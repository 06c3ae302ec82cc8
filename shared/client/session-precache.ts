import type { ServerMessage } from "../protocol.ts";
import type { SessionEvent } from "./session-events.ts";
import { isConnected, send, type SessionState } from "./session-state.ts";

/** Above what servers ask for at one time. */
const maxWishes = 64;
const reportEveryMs = 500;

/** Data that the server wants in this client's cache before tasks need it. */
export interface HeldWish {
  haveBytes: number;
  missedBytes: number;
  reason: string | undefined;
  /** Nothing of it is under way any more. */
  over: boolean;
  /** Something moved since the server was told. */
  moved: boolean;
  /** What the server was told last. */
  told: WishState | undefined;
}
type WishState = "fetching" | "paused" | "done";

export function takeWish(
  state: SessionState,
  { wish, blobs }: Extract<ServerMessage, { type: "precache" }>,
): void {
  if (state.wishes.has(wish) || state.wishes.size >= maxWishes) return;
  const held = { haveBytes: 0, missedBytes: 0, reason: undefined, over: false, moved: true, told: undefined };
  state.wishes.set(wish, held);
  state.out.push({ type: "startPrecache", wish, blobs });
}

export function endWish(state: SessionState, wish: number): void {
  if (state.wishes.delete(wish)) state.out.push({ type: "stopPrecache", wish });
}

/** Wishes are a connection's: the next one brings those that stand still. */
export function endWishes(state: SessionState): void {
  for (const wish of state.wishes.keys()) endWish(state, wish);
}

export function noteWish(
  state: SessionState,
  { wish, haveBytes, missedBytes, reason, over }: Extract<SessionEvent, { type: "precacheMoved" }>,
): void {
  const held = state.wishes.get(wish);
  if (held) Object.assign(held, { haveBytes, missedBytes, reason, over, moved: true });
}

/** Tells how far wishes are: at once when one's state changed, else now and then. */
export function sendWishes(state: SessionState): void {
  if (state.wishes.size === 0 || !isConnected(state)) return;
  const due = state.now - state.wishesSentAt >= reportEveryMs;
  for (const [wish, held] of state.wishes) {
    const now = stateOf(state, held);
    if (now === held.told && !(due && held.moved)) continue;
    const { haveBytes, missedBytes, reason } = held;
    send(state, {
      type: "precached",
      wish,
      state: now,
      haveBytes,
      missedBytes,
      ...(reason !== undefined && { reason }),
    });
    held.told = now;
    held.moved = false;
    state.wishesSentAt = state.now;
  }
}

/** When the next report is due; Infinity when none waits. */
export function nextWishAt(state: SessionState): number {
  if (!isConnected(state)) return Infinity;
  for (const { moved } of state.wishes.values()) if (moved) return state.wishesSentAt + reportEveryMs;
  return Infinity;
}

function stateOf({ mode }: SessionState, { over }: HeldWish): WishState {
  if (over) return "done";
  return mode === "running" ? "fetching" : "paused";
}
