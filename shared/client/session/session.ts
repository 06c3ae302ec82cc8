import {
  connectionClosed,
  connectionOpened,
  connectIfDue,
  messageReceived,
  watchConnection,
} from "./connection.ts";
import { settleCredit } from "./settle-credit.ts";
import { refuseOutput, resendOverdue, takeUploaded } from "./delivery.ts";
import type { SessionEvent, SessionInstruction } from "./events.ts";
import { askDrain, askStart, askStop, finishDrain, pause, restore } from "./modes.ts";
import { notePrecache, sendPrecaches } from "./precache.ts";
import { changeCache, sendDueReports } from "./reports.ts";
import {
  endBundle,
  endSandbox,
  failSandbox,
  refuseInputs,
  refuseKernel,
  startBundle,
  startLoad,
  takeReport,
  watchSlots,
} from "./bundles.ts";
import { assignSlots, changeSlots } from "./slots.ts";
import { newState, type SessionOptions, type SessionState } from "./state.ts";
import { forgiveSleep, nextWake } from "./wake.ts";

export type { SessionOptions };

/**
 * What a client does, without doing it: events in, instructions out; clock and randomness are passed in, nothing is read
 * or written besides its own state (SPEC.md: LEASE, OUTBOX, FLOW).
 */
export class Session {
  readonly #state: SessionState;

  constructor(options: SessionOptions) {
    this.#state = newState(options);
  }

  /**
   * Takes one event and says what to do about it. Never throws for what a server or a sandbox says.
   * @param now - milliseconds on a clock that never goes back
   */
  handle(event: SessionEvent, now: number): SessionInstruction[] {
    const state = this.#state;
    state.now = Math.max(state.now, now);
    state.out = [];
    forgiveSleep(state);
    apply(state, event);
    // Whatever happened, what is due is done: in a hidden tab the timer for it may be a minute late.
    passTime(state);
    assignSlots(state);
    settleCredit(state);
    finishDrain(state);
    state.wakeAt = nextWake(state);
    return state.out;
  }

  /** What it holds, to be read and not touched: for the status, the wake-up time and the invariant checker. */
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
      if (state.mode === "paused") state.mode = "running";
      return;
    case "slotsChosen":
      return changeSlots(state, event.slots);
    case "drainAsked":
      return askDrain(state);
    case "stopAsked":
      return askStop(state);
    case "stateLoaded":
      return restore(state, event.outbox, event.cached);
    case "connectionOpened":
      return connectionOpened(state);
    case "connectionClosed":
      return connectionClosed(state, event.code, event.reason);
    case "messageReceived":
      return messageReceived(state, event.message);
    case "serverHeard":
      if (state.connection.state === "connected") state.connection.heardAt = state.now;
      return;
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
