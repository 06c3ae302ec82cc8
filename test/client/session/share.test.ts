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

describe("[VOLUNTEER-3] a share of the time", () => {
  test("a slot rests after it computed, and says until when", () => {
    const h = new SessionHarness();
    h.join();
    h.feed({ type: "slotsChosen", slots: 1 });
    h.feed({ type: "shareChosen", share: 0.2 });
    // A slot that never computed has nothing to rest for but what it computes now.
    h.now += 10_000;
    h.lease([leased(0)]);
    run(h, 0, 1000);
    const [slot] = statusOf(h.session.state).slots;
    expect(slot).toMatchObject({ state: "idle" });
    const rest = (slot?.state === "idle" ? (slot.restUntil ?? 0) : 0) - h.now;
    // The first rest is shorter by what a late timer is forgiven.
    expect(rest).toBe(4000 - 2000);
    const { connection } = h.session.state;
    expect(connection.state === "connected" && connection.credit).toMatchObject({ slots: 0 });
    expect(statusOf(h.session.state).busyMs).toBe(1000);
    const wants = sent(h.pass(rest - 1000), "want");
    expect(wants).toMatchObject([{ slots: 1 }]);
    expect(ofType(h.lease([leased(1)]), "runTasks")).toEqual([]);
    expect(ofType(h.pass(999), "runTasks")).toEqual([]);
    expect(ofType(h.pass(1), "runTasks")).toHaveLength(1);
    run(h, 1, 1000);
    const again = statusOf(h.session.state).slots[0];
    expect((again?.state === "idle" ? (again.restUntil ?? 0) : 0) - h.now).toBe(4000);
  });

  test("a larger share ends the rests of a smaller one, and all of the time knows none", () => {
    const h = new SessionHarness();
    h.join();
    h.feed({ type: "shareChosen", share: 0.2 });
    h.lease([leased(0)]);
    run(h, 0, 5_000);
    h.lease([leased(1)]);
    expect(h.session.state.slots.get(0)?.work.state).toBe("idle");
    h.feed({ type: "shareChosen", share: 1 });
    h.lease([leased(2), leased(3)]);
    expect(h.session.state.slots.get(0)?.work.state).toBe("bundled");
  });
});
