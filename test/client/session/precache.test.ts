import { describe, expect, test } from "vitest";
import { ignored, kernelName, ofType, sent, SessionHarness } from "../../support/client-session-harness.ts";

const blobs = [kernelName];
const ask = (h: SessionHarness, id: number) => h.hear({ type: "precache", id, blobs });
const moved = (id: number, haveBytes: number, over = false) =>
  ({ type: "precacheMoved", id, haveBytes, missedBytes: 0, reason: undefined, over }) as const;

describe("[PRECACHE-1] precaches", () => {
  test("are begun, acknowledged at once, told of twice a second at most, and at once when over", () => {
    const h = new SessionHarness();
    h.join();
    const begun = ask(h, 7);
    expect(ofType(begun, "startPrecache")).toEqual([{ type: "startPrecache", id: 7, blobs }]);
    const report = { type: "precached", id: 7, haveBytes: 0, missedBytes: 0 };
    expect(sent(begun, "precached")).toEqual([{ ...report, state: "fetching" }]);
    for (let haveBytes = 1; haveBytes <= 3; haveBytes++)
      expect(sent(h.feed(moved(7, haveBytes)), "precached")).toEqual([]);
    expect(h.session.state.wakeAt).toBe(h.now + 500);
    expect(sent(h.pass(500), "precached")).toEqual([{ ...report, state: "fetching", haveBytes: 3 }]);
    expect(sent(h.pass(500), "precached")).toEqual([]);
    const over = { ...moved(7, 5, true), missedBytes: 4, reason: "no room" };
    expect(sent(h.feed(over), "precached")).toEqual([
      { ...report, state: "done", haveBytes: 5, missedBytes: 4, reason: "no room" },
    ]);
  });

  test("end when the server says so; later news of them is not reported", () => {
    const h = new SessionHarness();
    h.join();
    ask(h, 1);
    expect(ignored(ask(h, 1))).toEqual(["precache: precache 1 is here already"]);
    const ended = h.hear({ type: "precacheEnd", id: 1 });
    expect(ofType(ended, "stopPrecache")).toEqual([{ type: "stopPrecache", id: 1 }]);
    expect(ignored(h.feed(moved(1, 9)))).toEqual(["precacheMoved: precache 1 is over"]);
    expect(ignored(h.hear({ type: "precacheEnd", id: 1 }))).toEqual(["precacheEnd: precache 1 is over"]);
  });

  test("of a client that its person paused are on hold, and go on with it", () => {
    const h = new SessionHarness();
    h.join();
    ask(h, 1);
    expect(sent(h.feed({ type: "pauseAsked" }), "precached")).toMatchObject([{ state: "paused" }]);
    expect(sent(ask(h, 2), "precached")).toMatchObject([{ id: 2, state: "paused" }]);
    expect(sent(h.feed({ type: "resumeAsked" }), "precached")).toMatchObject([
      { id: 1, state: "fetching" },
      { id: 2, state: "fetching" },
    ]);
  });

  test("end with their connection: the next one brings those that stand", () => {
    const h = new SessionHarness();
    h.join();
    ask(h, 1);
    const lost = h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    expect(ofType(lost, "stopPrecache")).toHaveLength(1);
    h.pass(30_000);
    h.feed({ type: "connectionOpened" });
    expect(sent(h.welcome(), "precached")).toEqual([]);
    expect(ofType(ask(h, 1), "startPrecache")).toHaveLength(1);
    expect(ofType(h.feed({ type: "stopAsked" }), "stopPrecache")).toHaveLength(1);
  });

  test("are bounded, whatever a server asks for", () => {
    const h = new SessionHarness();
    h.join();
    for (let id = 0; id < 100; id++) ask(h, id);
    expect(h.session.state.precaches.size).toBe(64);
  });
});
