import { creditMoved, queueBeyondSlots } from "./credit.ts";
import { send, usableSlots, type SessionState } from "./state.ts";
import { releaseNewest } from "./tasks.ts";

/** A task that runs this long and longer than its job's others counts as what it took so far. */
const slowTaskMs = 250;

/** Tells the server how much this client is willing to hold, when that changed; hands back what is far too much. */
export function settleCredit(state: SessionState): void {
  const { connection } = state;
  if (connection.state !== "connected") return;
  const slots = state.mode === "running" ? usableSlots(state) : 0;
  const { meanMs, known } = pace(state, slots);
  const { roundTripMs, meanInputBytes } = state;
  const queue = queueBeyondSlots({ slots, meanMs, roundTripMs, inputBytes: meanInputBytes });
  const tasks = slots + queue;
  const sent = connection.credit;
  if (!sent || sent.slots !== slots || creditMoved(sent.tasks, tasks)) {
    send(state, { type: "want", tasks, slots });
    connection.credit = { tasks, slots };
  }
  // Sized for tiny tasks, and then came long ones: others can have them sooner.
  if (known && state.queuedTasks > 4 * queue + 2 * slots && connection.credit?.tasks !== undefined)
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

/** When to look again without any other event: only while more waits than the next round of the slots. */
export function nextCreditAt(state: SessionState): number {
  return state.connection.state === "connected" && state.queuedTasks > usableSlots(state)
    ? state.now + slowTaskMs
    : Infinity;
}
