import { describe, expect, test } from "vitest";
import { statusOf } from "../../../shared/client/status.ts";
import { finished, leased, ofType, sent, SessionHarness } from "../../support/client-session-harness.ts";

/** Runs a task of so many ms in slot 0. */
function run(h: SessionHarness, index: number, ms: number): void {
  h.begin(0);
  h.now += ms;
  h.report(0, { finished: [finished(index)] });
  h.hear({ type: "accepted", job: h.session.state.jobs.keys().next().value!, indexes: [index] });
}

/** Rest of slot 0 from now on, in ms. */
function restOf(h: SessionHarness): number {
  const [slot] = statusOf(h.session.state).slots;
  return slot?.state === "idle" && slot.restUntil !== undefined ? slot.restUntil - h.now : 0;
}

describe("[VOLUNTEER-3] a share of the time", () => {
  test("a slot rests after it computed, and says until when", () => {
    const h = new SessionHarness();
    h.join();
    h.feed({ type: "slotsChosen", slots: 1 });
    h.feed({ type: "shareChosen", share: 0.2 });
    h.lease([leased(0)]);
    run(h, 0, 1000);
    const [slot] = statusOf(h.session.state).slots;
    expect(slot).toMatchObject({ state: "idle" });
    const rest = restOf(h);
    expect(rest).toBe(4000);
    const { connection } = h.session.state;
    expect(connection.state === "connected" && connection.credit).toMatchObject({ slots: 0 });
    expect(statusOf(h.session.state).busyMs).toBe(1000);
    const wants = sent(h.pass(rest - 1000), "want");
    expect(wants).toMatchObject([{ slots: 1 }]);
    expect(ofType(h.lease([leased(1)]), "runTasks")).toEqual([]);
    expect(ofType(h.pass(999), "runTasks")).toEqual([]);
    expect(ofType(h.pass(1), "runTasks")).toHaveLength(1);
    run(h, 1, 1000);
    expect(restOf(h)).toBe(4000);
  });

  test.each([
    [0.8, 100],
    [0.5, 10],
    [0.2, 700],
  ])("%f of the time holds from the first task on, also after idle time (tasks of %i ms)", (share, ms) => {
    const h = new SessionHarness();
    h.join();
    h.feed({ type: "slotsChosen", slots: 1 });
    h.feed({ type: "shareChosen", share });
    for (const first of [0, 10]) {
      const began = h.now;
      for (let index = first; index < first + 10; index++) {
        h.pass(Math.ceil(restOf(h)));
        h.lease([leased(index)]);
        expect(h.session.state.slots.get(0)?.work.state).toBe("bundled");
        run(h, index, ms);
        expect(h.now + restOf(h) - began).toBeCloseTo(((index - first + 1) * ms) / share);
      }
      h.pass(10_000);
    }
  });

  test("a rest that ended late shortens the next one by that, up to two seconds", () => {
    const h = new SessionHarness();
    h.join();
    h.feed({ type: "slotsChosen", slots: 1 });
    h.feed({ type: "shareChosen", share: 0.5 });
    const began = h.now;
    h.lease([leased(0)]);
    run(h, 0, 3000);
    h.now = began + 6000 + 1500;
    h.lease([leased(1)]);
    run(h, 1, 3000);
    expect(h.now + restOf(h)).toBe(began + 12_000);
  });

  test("a larger share ends the rests of a smaller one, and all of the time knows none", () => {
    const h = new SessionHarness();
    h.join();
    h.feed({ type: "shareChosen", share: 0.2 });
    h.lease([leased(0)]);
    run(h, 0, 5_000);
    h.lease([leased(1)]);
    // The page tells the share with every choice of the person.
    h.feed({ type: "shareChosen", share: 0.2 });
    h.lease([leased(1)]);
    expect(h.session.state.slots.get(0)?.work.state).toBe("idle");
    h.feed({ type: "shareChosen", share: 1 });
    h.lease([leased(2), leased(3)]);
    expect(h.session.state.slots.get(0)?.work.state).toBe("bundled");
  });
});
