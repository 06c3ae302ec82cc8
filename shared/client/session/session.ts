import {
  connectionClosed,
  connectionOpened,
  connectIfDue,
  connectionDeadline,
  hear,
  messageReceived,
  changeNetwork,
  probeAt,
  probeFailed,
  probeOpened,
  watchConnection,
} from "./connection.ts";
import { nextCreditAt, settleCredit } from "./credit.ts";
import { refuseOutput, resendOverdue, takeUploaded } from "./delivery.ts";
import type { SessionEvent, SessionInstruction } from "./events.ts";
import { askDrain, askStart, askStop, finishDrain, pause, restore, resume } from "./modes.ts";
import { nextPrecacheAt, notePrecache, sendPrecaches } from "./precache.ts";
import { changeCache, nextReportAt, sendDueReports } from "./reports.ts";
import {
  endBundle,
  endSandbox,
  failSandbox,
  noteFetched,
  refuseInputs,
  refuseKernel,
  startBundle,
  startLoad,
  takeReport,
  watchSlots,
} from "./bundles.ts";
import { assignSlots, changeShare, changeSlots, idleEndsAt, restChangesAt } from "./slots.ts";
import { newState, type SessionOptions, type SessionState } from "./state.ts";

export type { SessionOptions };

/** A wake-up that is later than this means that the machine slept (or a hidden page was frozen). */
const oversleptMs = 5000;

/**
 * The decisions of a client as a state machine: events in, instructions out. Clock and randomness are passed in; nothing is read or
 * written besides the session's own state (SPEC.md: LEASE, OUTBOX, FLOW).
 */
export class Session {
  readonly #state: SessionState;

  constructor(options: SessionOptions) {
    this.#state = newState(options);
  }

  /**
   * Takes one event and returns what to do. Never throws for an event of a server or a sandbox.
   * @param now - milliseconds on a clock that never goes back
   */
  handle(event: SessionEvent, now: number): SessionInstruction[] {
    const state = this.#state;
    state.now = Math.max(state.now, now);
    state.event = event;
    state.out = [];
    forgiveSleep(state);
    apply(state, event);
    // Every event does what is due, because the timer of a hidden tab may be a minute late.
    passTime(state);
    assignSlots(state);
    settleCredit(state);
    finishDrain(state);
    state.wakeAt = nextWake(state);
    return state.out;
  }

  /** The state, only to be read: for the status, the wake-up time and the invariant checker. */
  get state(): Readonly<SessionState> {
    return this.#state;
  }
}

function passTime(state: SessionState): void {
  watchConnection(state);
  connectIfDue(state);
  watchSlots(state);
  sendDueReports(state);
  sendPrecaches(state);
  resendOverdue(state);
}

function apply(state: SessionState, event: SessionEvent): void {
  switch (event.type) {
    case "startAsked":
      return askStart(state);
    case "pauseAsked":
      return pause(state);
    case "resumeAsked":
      return resume(state);
    case "slotsChosen":
      return changeSlots(state, event.slots);
    case "shareChosen":
      return changeShare(state, event.share);
    case "webGpuChanged":
      state.webgpu = event.has;
      return;
    case "drainAsked":
      return askDrain(state);
    case "stopAsked":
      return askStop(state);
    case "stateLoaded":
      return restore(state, event.outbox, event.cached);
    case "connectionOpened":
      return connectionOpened(state);
    case "probeOpened":
      return probeOpened(state);
    case "probeFailed":
      return probeFailed(state);
    case "networkChanged":
      return changeNetwork(state);
    case "connectionClosed":
      return connectionClosed(state, event.code, event.reason);
    case "messageReceived":
      return messageReceived(state, event.message);
    case "serverHeard":
      return hear(state);
    case "cacheChanged":
      return changeCache(state, event.added, event.removed);
    case "sandboxFailed":
      return failSandbox(state, event.slot, event.sandbox, event.reason);
    case "sandboxEnded":
      return endSandbox(state, event.slot, event.sandbox, event);
    case "loadStarted":
      return startLoad(state, event.slot, event.run);
    case "kernelRefused":
      return refuseKernel(state, event.slot, event.run, event.failure);
    case "inputsRefused":
      return refuseInputs(state, event.slot, event.run, event.failures);
    case "bundleStarted":
      return startBundle(state, event.slot, event.run);
    case "tasksReported":
      return takeReport(state, event.slot, event.sandbox, event.report);
    case "bundleEnded":
      return endBundle(state, event.slot, event.run, event.reason);
    case "dataFetched":
      return noteFetched(state, event.sha256, event.ms);
    case "outputUploaded":
      return takeUploaded(state, event.upload, event.name);
    case "outputRefused":
      return refuseOutput(state, event.upload, event.failure);
    case "precacheMoved":
      return notePrecache(state, event);
    case "timePassed":
      return;
  }
}

/** Time that the machine slept does not count against the deadlines of running tasks. */
function forgiveSleep(state: SessionState): void {
  const lateMs = state.now - state.wakeAt;
  if (lateMs < oversleptMs) return;
  state.unansweredSince = undefined;
  for (const { work } of state.slots.values()) {
    if (work.state !== "bundled" || work.deadline === undefined) continue;
    if (work.ranSince !== undefined) work.ranSince += lateMs;
    if (work.deadline > state.wakeAt) {
      work.deadline += lateMs;
      work.heardAt += lateMs;
    } else if (!work.forgiven) {
      // The task's own deadline passed during the sleep, and its remaining time is unknown. The task gets all of its time again,
      // once: in a hidden page timers are late without any sleep, and a kernel that hangs must end.
      work.forgiven = true;
      work.deadline = state.now + (work.deadline - work.heardAt);
      work.heardAt = state.now;
    }
  }
}

/** When the session wants a `timePassed` without another event; Infinity: never. */
function nextWake(state: SessionState): number {
  const { connection } = state;
  let at = Math.min(nextReportAt(state), nextCreditAt(state), nextPrecacheAt(state));
  if (connection.state === "connected") at = Math.min(at, state.outboxCheckAt);
  if (connection.state === "waiting") at = Math.min(at, connection.retryAt);
  at = Math.min(at, probeAt(state), connectionDeadline(state) ?? Infinity);
  for (const slot of state.slots.values()) {
    const { work } = slot;
    at = Math.min(at, idleEndsAt(state, slot), restChangesAt(state, slot));
    if (work.state === "broken") at = Math.min(at, work.retryAt);
    if (work.state === "bundled") at = Math.min(at, work.deadline ?? Infinity);
  }
  return Math.max(at, state.now);
}
