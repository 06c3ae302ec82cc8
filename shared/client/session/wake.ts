import { connectionDeadline } from "./connection.ts";
import { nextCreditAt } from "./settle-credit.ts";
import { nextPrecacheAt } from "./precache.ts";
import { nextReportAt } from "./reports.ts";
import type { SessionState } from "./state.ts";

/** When the session wants a `timePassed` if nothing else happens; Infinity: never. */
export function nextWake(state: SessionState): number {
  const { connection } = state;
  let at = Math.min(nextReportAt(state), nextCreditAt(state), nextPrecacheAt(state));
  if (connection.state === "connected") at = Math.min(at, state.outboxCheckAt);
  if (connection.state === "waiting") at = Math.min(at, connection.retryAt);
  at = Math.min(at, connectionDeadline(state) ?? Infinity);
  for (const { work } of state.slots.values()) {
    if (work.state === "broken") at = Math.min(at, work.retryAt);
    if (work.state === "bundled") at = Math.min(at, work.deadline ?? Infinity);
  }
  return Math.max(at, state.now);
}

/** Later than this, the machine slept (or a hidden page was held still). */
const oversleptMs = 5000;

/** A computer that sleeps does not compute: what it slept through does not count against the tasks that run. */
export function forgiveSleep(state: SessionState): void {
  const lateMs = state.now - state.wakeAt;
  if (lateMs < oversleptMs) return;
  for (const { work } of state.slots.values()) {
    if (work.state !== "bundled" || work.deadline === undefined) continue;
    if (work.deadline > state.wakeAt) {
      work.deadline += lateMs;
      work.heardAt += lateMs;
    } else if (!work.forgiven) {
      // Its own deadline was slept through, and nobody knows how much of its time was left. It has all of it again, once: in a
      // hidden page timers are late without any sleep, and a kernel that hangs must end.
      work.forgiven = true;
      work.deadline = state.now + (work.deadline - work.heardAt);
      work.heardAt = state.now;
    }
  }
}
