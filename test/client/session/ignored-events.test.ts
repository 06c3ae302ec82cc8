import { describe, expect, test } from "vitest";
import { finished, ignored, leased, ofType, SessionHarness } from "../../support/client-session-harness.ts";
import type { SessionEvent } from "../../../shared/client/session/events.ts";

const failure = { kind: "data", message: "gone" } as const;

/** A client whose slot 0 runs task 0 in sandbox 1. */
function computing(): SessionHarness {
  const h = new SessionHarness({ slots: 1 });
  h.join();
  h.lease([leased(0)]);
  h.begin(0);
  return h;
}

describe("an event that does not fit the state", () => {
  test.each<[SessionEvent, string]>([
    [{ type: "startAsked" }, "startAsked: started already"],
    [{ type: "resumeAsked" }, "resumeAsked: not paused"],
    [{ type: "stateLoaded", outbox: [], cached: [] }, "stateLoaded: nothing is being loaded"],
    [{ type: "connectionOpened" }, "connectionOpened: no connection is being opened"],
    [{ type: "sandboxFailed", slot: 0, sandbox: 7, reason: "" }, "sandboxFailed: sandbox 7 is closed"],
    [{ type: "loadStarted", slot: 0, run: 9 }, "loadStarted: run 9 of slot 0 is over"],
    [{ type: "bundleStarted", slot: 3, run: 1 }, "bundleStarted: run 1 of slot 3 is over"],
    [{ type: "bundleEnded", slot: 0, run: 9, reason: "" }, "bundleEnded: run 9 of slot 0 is over"],
    [{ type: "kernelRefused", slot: 0, run: 9, failure }, "kernelRefused: run 9 of slot 0 is over"],
    [{ type: "inputsRefused", slot: 0, run: 9, failures: [] }, "inputsRefused: run 9 of slot 0 is over"],
    [{ type: "outputRefused", upload: 4, failure }, "outputRefused: no result waits for upload 4"],
  ])("changes nothing and is logged: $type", (event, reason) => {
    const h = computing();
    const { wakeAt } = h.session.state;
    expect(ignored(h.feed(event))).toEqual([reason]);
    expect(h.session.state.wakeAt).toBe(wakeAt);
    expect(h.bundleOf(0).remaining.size).toBe(1);
  });

  test("is not the end of a bundle whose results came before", () => {
    const h = computing();
    const { run } = h.bundleOf(0);
    h.report(0, { finished: [finished(0)] });
    expect(h.feed({ type: "bundleEnded", slot: 0, run })).toEqual([]);
  });

  test.each<SessionEvent>([
    { type: "pauseAsked" },
    { type: "serverHeard" },
    { type: "connectionClosed", code: 1006, reason: "" },
  ])("before the start: $type", (event) => {
    expect(ignored(new SessionHarness().feed(event))).toHaveLength(1);
  });

  test("is logged with the state's story", () => {
    const [line] = ofType(computing().feed({ type: "loadStarted", slot: 0, run: 9 }), "writeLog");
    expect(line).toMatchObject({
      level: "debug",
      details: {
        mode: "running",
        connection: "connected",
        queuedTasks: 0,
        unsent: 0,
        slots: [{ number: 0, sandbox: 1, state: "bundled", run: 1, phase: "running", remaining: 1 }],
      },
    });
  });

  test("an older lease than the one that is held", () => {
    const h = computing();
    expect(ignored(h.lease([leased(0)]))).toEqual([
      "lease: attempt 1 of task 0 is not newer than the held one",
    ]);
  });
});
