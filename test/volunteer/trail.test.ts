import { describe, expect, test } from "vitest";
import type { SessionEvent } from "../../shared/client/session/events.ts";
import { Trail } from "../../web-client/volunteer/more/trail.ts";
import { descriptor, finished, leased, SessionHarness } from "../support/client-session-harness.ts";

const job = descriptor().id;

/** A session whose events a trail follows, as on the page. */
class FollowedSession extends SessionHarness {
  trail: Trail;

  constructor(trail: Trail) {
    super();
    this.trail = trail;
  }

  override feed(event: SessionEvent): ReturnType<SessionHarness["feed"]> {
    const out = super.feed(event);
    this.trail.note(event, this.session.state);
    return out;
  }

  get states(): unknown[] {
    return this.trail.entries.map(({ index, count, state }) => [index, count, state]);
  }
}

/** A session that computes a task on each slot, followed by a new trail or by that of a session before. */
function working(indexes: readonly number[], trail = new Trail()): FollowedSession {
  const h = new FollowedSession(trail);
  h.join();
  h.feed({ type: "slotsChosen", slots: indexes.length });
  h.lease(indexes.map((index) => leased(index)));
  for (const slot of indexes.keys()) h.begin(slot);
  return h;
}

describe("[VOLUNTEER-5] the way of a task", () => {
  test("of a job that is not verified", () => {
    const h = working([4]);
    expect(h.states).toEqual([[4, 1, "computing"]]);
    h.report(0, { finished: [finished(4)] });
    expect(h.states).toEqual([[4, 1, "finished"]]);
    h.hear({ type: "accepted", job, indexes: [4] });
    expect(h.states).toEqual([[4, 1, "accepted"]]);
    expect(h.trail.verified).toBeUndefined();
  });

  test("of provisional results: delivered, then accepted, checked or withdrawn", () => {
    const h = working([1, 2, 3]);
    for (const slot of [0, 1, 2]) h.report(slot, { finished: [finished(slot + 1)] });
    h.hear({ type: "accepted", job, indexes: [1, 2, 3], provisional: true });
    expect(h.states).toEqual([
      [3, 1, "delivered"],
      [2, 1, "delivered"],
      [1, 1, "delivered"],
    ]);
    h.hear({ type: "verdict", job, state: "checked", indexes: [2] });
    h.hear({ type: "verdict", job, state: "accepted", indexes: [1] });
    h.hear({ type: "verdict", job, state: "withdrawn", indexes: [3] });
    expect(h.states).toEqual([
      [3, 1, "withdrawn"],
      [2, 1, "checked"],
      [1, 1, "accepted"],
    ]);
    expect(h.trail.verified).toEqual({ accepted: 2, checked: 1 });
  });

  test("of a bundle, which is as far as its last task; a task that fails stands alone", () => {
    const h = working([0]);
    h.now += 1;
    h.report(0, { finished: [finished(0)] });
    h.hear({ type: "accepted", job, indexes: [0] });
    h.lease([1, 2, 3].map((index) => leased(index)));
    h.begin(0);
    expect(h.states[0]).toEqual([1, 3, "computing"]);
    h.report(0, { finished: [finished(1)] });
    expect(h.states[0]).toEqual([1, 3, "computing"]);
    const failure = { kind: "error" as const, message: "no particles" };
    h.report(0, { finished: [{ index: 2, outcome: { state: "failed", failure } }, finished(3)] });
    h.hear({ type: "accepted", job, indexes: [1, 2, 3] });
    expect(h.states.slice(0, 2)).toEqual([
      [2, 1, "failed"],
      [1, 2, "accepted"],
    ]);
    expect(h.trail.entries[0]?.message).toBe("no particles");
  });

  test("of tasks that began or failed before the page followed the session", () => {
    const h = working([1, 2]);
    const failure = { kind: "error" as const, message: "no particles" };
    h.report(0, { finished: [{ index: 1, outcome: { state: "failed", failure } }] });
    h.hear({ type: "accepted", job, indexes: [1] });
    h.trail = new Trail();
    h.report(1, { show: { value: "half of it" } });
    expect(h.states).toEqual([
      [1, 1, "failed"],
      [2, 1, "computing"],
    ]);
    expect(h.trail.entries[0]?.message).toBe("no particles");
    expect(h.trail.shown.get(1)?.shown).toEqual({ kind: "text", text: "half of it" });
  });

  test("ends where a task is taken away", () => {
    const h = working([5]);
    h.hear({ type: "cancel", job, indexes: [5] });
    expect(h.states).toEqual([]);
  });

  test("goes on with the tasks of the next session, after a stop and a start", () => {
    const before = working([6]);
    before.report(0, { finished: [finished(6)] });
    before.hear({ type: "accepted", job, indexes: [6] });
    expect(working([7], before.trail).states).toEqual([
      [7, 1, "computing"],
      [6, 1, "accepted"],
    ]);
  });
});
