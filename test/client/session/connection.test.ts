import { describe, expect, test } from "vitest";
import { backoffMs } from "../../../shared/backoff.ts";
import { statusOf } from "../../../shared/client/status.ts";
import { seededRandom } from "../../../shared/random.ts";
import {
  descriptor,
  finished,
  ignored,
  leased,
  ofType,
  sent,
  SessionHarness,
} from "../../support/client-session-harness.ts";

const job = descriptor();

function lost(h: SessionHarness): number {
  h.feed({ type: "connectionClosed", code: 1006, reason: "" });
  const { connection } = h.session.state;
  if (connection.state !== "waiting") throw new Error(connection.state);
  return connection.retryAt - h.now;
}

describe("connecting", () => {
  test("start reads the state that an earlier run left, then connects, then says hello", () => {
    const h = new SessionHarness({ token: "secret" });
    expect(h.feed({ type: "startAsked" })).toEqual([{ type: "loadState" }]);
    const result = {
      index: 7,
      attempt: 2,
      elapsedMs: 5,
      outcome: { state: "done" as const, output: new Uint8Array([7]) },
    };
    expect(
      h.feed({ type: "stateLoaded", outbox: [{ job: job.id, result }], cached: [job.kernel.sha256] }),
    ).toEqual([{ type: "openConnection", server: "http://a/" }]);
    const opened = h.feed({ type: "connectionOpened" });
    const [hello] = sent(opened, "hello");
    expect(hello).toMatchObject({
      token: "secret",
      slots: 2,
      held: [{ job: job.id, index: 7, attempt: 2 }],
      cached: [job.kernel.sha256],
    });
    // [PAGE-2] The lease comes with the welcome.
    expect(sent(opened, "want")).toEqual([{ type: "want", tasks: 2, slots: 2 }]);
    const welcomed = h.welcome();
    expect(ofType(welcomed, "useTicket")).toEqual([{ type: "useTicket", ticket: "ticket" }]);
    expect(sent(welcomed, "results")).toEqual([{ type: "results", job: job.id, results: [result] }]);
    expect(sent(welcomed, "want")).toEqual([]);
  });

  test("[WAIT-3] after an outage a client is back within half as long again, on average", () => {
    const random = seededRandom("outages");
    const outages = 5000;
    for (const outageMs of [4_000, 10_000, 20_000]) {
      let lateMs = 0;
      for (let outage = 0; outage < outages; outage++) {
        let at = 0;
        for (let attempt = 0; at < outageMs; attempt++) at += backoffMs(attempt, random);
        lateMs += at - outageMs;
      }
      expect(lateMs / outages).toBeLessThan(outageMs / 2);
    }
  });

  test("back-off: the first retry within a second, never more than 30 s, and it never gives up", () => {
    expect(backoffMs(0, () => 0.999)).toBeLessThan(1000);
    expect(backoffMs(40, () => 0.999)).toBeLessThanOrEqual(30_000);
    const h = new SessionHarness({ random: () => 0.999 });
    h.feed({ type: "startAsked" });
    h.feed({ type: "stateLoaded", outbox: [], cached: [] });
    const delays: number[] = [];
    for (let i = 0; i < 50; i++) {
      delays.push(lost(h));
      expect(ofType(h.pass(30_000), "openConnection")).toHaveLength(1);
    }
    expect(delays[0]).toBeLessThan(1000);
    expect(delays[2]).toBeGreaterThan(delays[1]!);
    expect(Math.max(...delays)).toBeLessThanOrEqual(30_000);
  });

  test("a connection that lasted makes the next retry a first one again", () => {
    const h = new SessionHarness({ random: () => 0.999 });
    h.join();
    lost(h);
    h.pass(30_000);
    lost(h);
    h.pass(30_000);
    h.feed({ type: "connectionOpened" });
    h.welcome();
    h.pass(10_000);
    expect(lost(h)).toBeLessThan(1000);
  });

  test("[WAIT-3] of a server that is up for moments, every moment in which work moves makes the next retry a first one", () => {
    const h = new SessionHarness({ random: () => 0.999 });
    h.join();
    const delays: number[] = [];
    for (let window = 0; window < 6; window++) {
      h.lease([leased(window)]);
      h.pass(3_500);
      delays.push(lost(h));
      h.pass(30_000);
      h.feed({ type: "connectionOpened" });
      h.welcome();
    }
    expect(Math.max(...delays)).toBeLessThan(1000);
  });

  test("[WAIT-3] a server that only takes connections and drops them is left to the back-off", () => {
    const h = new SessionHarness({ random: () => 0.999 });
    h.join();
    const delays: number[] = [];
    for (let window = 0; window < 10; window++) {
      h.pass(3_500);
      delays.push(lost(h));
      h.pass(30_000);
      h.feed({ type: "connectionOpened" });
      h.welcome();
    }
    expect(delays.at(-1)).toBeGreaterThan(20_000);
  });

  test("bye: comes back after the time the server named", () => {
    const h = new SessionHarness();
    h.join();
    h.hear({ type: "bye", reason: "restart", afterMs: 5000 });
    expect(lost(h)).toBeGreaterThanOrEqual(5000);
  });

  test("[PROTO-1] a refusal that a retry cannot mend stops trying until a person starts it again", () => {
    const h = new SessionHarness();
    h.feed({ type: "startAsked" });
    h.feed({ type: "stateLoaded", outbox: [], cached: [] });
    h.feed({ type: "connectionOpened" });
    const out = h.hear({
      type: "refuse",
      code: "UPGRADE_REQUIRED",
      message: "old",
      remedy: "reload",
      retryable: false,
    });
    expect(ofType(out, "closeConnection")).toHaveLength(1);
    expect(statusOf(h.session.state).connection).toEqual({
      state: "refused",
      error: { code: "UPGRADE_REQUIRED", message: "old", remedy: "reload", retryable: false },
    });
    expect(h.session.state.wakeAt).toBe(Infinity);
    expect(ofType(h.pass(1e9), "openConnection")).toEqual([]);
    expect(ofType(h.feed({ type: "startAsked" }), "openConnection")).toHaveLength(1);
  });

  test("a refusal that a retry may mend is retried", () => {
    const h = new SessionHarness();
    h.feed({ type: "startAsked" });
    h.feed({ type: "stateLoaded", outbox: [], cached: [] });
    h.feed({ type: "connectionOpened" });
    h.hear({ type: "refuse", code: "TOO_MANY", message: "later", remedy: "wait", retryable: true });
    expect(statusOf(h.session.state).connection.state).toBe("waiting");
    expect(ofType(h.pass(30_000), "openConnection")).toHaveLength(1);
  });

  test("watchdog: four heartbeats without a word end the connection; any word keeps it", () => {
    const h = new SessionHarness();
    h.join();
    h.pass(59_000);
    h.feed({ type: "serverHeard" });
    expect(ofType(h.pass(59_999), "closeConnection")).toEqual([]);
    h.hear({ type: "heartbeat" });
    expect(ofType(h.pass(60_000), "closeConnection")).toHaveLength(1);
    expect(statusOf(h.session.state).connection.state).toBe("waiting");
  });

  test("a server that never answers the hello is left", () => {
    const h = new SessionHarness();
    h.feed({ type: "startAsked" });
    h.feed({ type: "stateLoaded", outbox: [], cached: [] });
    h.feed({ type: "connectionOpened" });
    expect(ofType(h.pass(30_000), "closeConnection")).toHaveLength(1);
  });

  test("messages out of turn are harmless", () => {
    const h = new SessionHarness();
    h.feed({ type: "startAsked" });
    h.feed({ type: "stateLoaded", outbox: [], cached: [] });
    expect(ignored(h.lease([leased(0)]))).toEqual(["lease: not connected"]);
    h.feed({ type: "connectionOpened" });
    expect(ignored(h.hear({ type: "accepted", job: job.id, indexes: [0] }))).toEqual([
      "accepted: not connected",
    ]);
    h.welcome();
    expect(ignored(h.welcome())).toEqual(["welcome: no hello waits for it"]);
    expect(ignored(h.hear({ type: "accepted", job: job.id, indexes: [0, 0, 9] }))).toEqual([
      "accepted: 3 of the results do not wait for it",
    ]);
    expect(ignored(h.hear({ type: "cancel", job: job.id, indexes: [0] }))).toEqual([
      "cancel: none of the tasks is here",
    ]);
    expect(ignored(h.hear({ type: "cancel", job: job.id }))).toEqual(["cancel: none of the tasks is here"]);
  });
});

describe("[LEASE-6] after a lost connection", () => {
  test("running, waiting and finished tasks are named, and go on", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1), leased(2)]);
    h.begin(0);
    h.report(0, { finished: [finished(0)] });
    h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    h.pass(30_000);
    const [hello] = sent(h.feed({ type: "connectionOpened" }), "hello");
    expect(hello?.held).toEqual([
      { job: job.id, index: 0, attempt: 1 },
      { job: job.id, index: 1, attempt: 1 },
      { job: job.id, index: 2, attempt: 1 },
    ]);
    const out = h.welcome([{ job: job.id, index: 2, attempt: 1 }]);
    expect(sent(out, "results")[0]?.results.map(({ index }) => index)).toEqual([0]);
    expect(h.session.state.queuedTasks).toBe(0);
    expect(h.bundleOf(0).remaining.has(1)).toBe(true);
  });

  test("a running task that is no longer ours is terminated, its siblings run again", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.teach(0.01);
    h.lease([leased(0), leased(1), leased(2)]);
    h.begin(0);
    expect(h.bundleOf(0).remaining.size).toBe(3);
    const out = h.rejoin([{ job: job.id, index: 1, attempt: 1 }]);
    expect(ofType(out, "closeSandbox")).toHaveLength(1);
    expect(ofType(out, "runTasks")[0]?.tasks.map(({ index }) => index)).toEqual([0, 2]);
  });

  test("tasks handed back between hello and welcome are named after the welcome", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    h.pass(30_000);
    h.feed({ type: "connectionOpened" });
    expect(sent(h.feed({ type: "pauseAsked" }), "release")).toEqual([]);
    expect(sent(h.welcome(), "release")).toEqual([
      { type: "release", leases: [{ job: job.id, index: 1, attempt: 1 }] },
    ]);
  });

  test("work goes on while there is no connection", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    const out = h.report(0, { finished: [finished(0)] });
    expect(ofType(out, "runTasks")).toHaveLength(1);
    expect(ofType(out, "saveResults")).toHaveLength(1);
    expect(ofType(out, "sendMessage")).toEqual([]);
  });
});
