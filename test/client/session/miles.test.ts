import { describe, expect, test } from "vitest";
import type { SessionInstruction } from "../../../shared/client/session/events.ts";
import type { JobId, Sha256 } from "../../../shared/ids.ts";
import {
  descriptor,
  finished,
  leased,
  ofType,
  sent,
  SessionHarness,
} from "../../support/client-session-harness.ts";

const job = descriptor();

/** A session that has sent a result of so many bytes which has no answer. */
function unanswered(bytes = 1): SessionHarness {
  const h = new SessionHarness();
  h.join();
  h.lease([leased(1)]);
  h.begin(0);
  h.report(0, { finished: [finished(1, new Uint8Array(bytes))] });
  return h;
}

/** Lets time pass in which the server shows life. */
function live(h: SessionHarness, ms: number): void {
  for (let left = ms; left > 0; left -= 1000) {
    h.now += 1000;
    h.hear({ type: "heartbeat" });
  }
}

describe("[MILES-3] a connection that may be dead", () => {
  test("is doubted when a result has no answer for 3 s; the second connection takes over when it opens first", () => {
    const h = unanswered();
    expect(ofType(h.pass(2900), "openProbe")).toEqual([]);
    expect(ofType(h.pass(100), "openProbe")).toEqual([{ type: "openProbe", server: "http://a/" }]);
    expect(ofType(h.pass(100), "openProbe")).toEqual([]);
    const [hello] = sent(h.feed({ type: "probeOpened" }), "hello");
    expect(hello?.held).toEqual([{ job: job.id, index: 1, attempt: 1 }]);
    expect(sent(h.welcome(), "results")).toHaveLength(1);
  });

  test("a client that is stopped while its connection is broken gives up the second one, too", () => {
    const h = unanswered();
    expect(ofType(h.pass(3000), "openProbe")).toHaveLength(1);
    h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    expect(ofType(h.feed({ type: "stopAsked" }), "closeProbe")).toHaveLength(1);
  });

  test("stays when it shows life first", () => {
    const h = unanswered();
    h.pass(3000);
    expect(ofType(h.feed({ type: "serverHeard" }), "closeProbe")).toHaveLength(1);
    expect(ofType(h.pass(3000), "openProbe")).toEqual([]);
  });

  test("is doubted again when the second connection fails, two seconds later", () => {
    const h = unanswered();
    h.pass(3000);
    h.feed({ type: "probeFailed" });
    expect(ofType(h.pass(1900), "openProbe")).toEqual([]);
    expect(ofType(h.pass(100), "openProbe")).toHaveLength(1);
  });

  test("is doubted after four round trips where those are long", () => {
    const h = new SessionHarness();
    h.join();
    h.lease([leased(0)]);
    h.begin(0);
    h.report(0, { finished: [finished(0)] });
    h.now += 1500;
    h.hear({ type: "accepted", job: job.id, indexes: [0] });
    h.lease([leased(1)]);
    h.begin(0);
    h.report(0, { finished: [finished(1)] });
    expect(ofType(h.pass(5900), "openProbe")).toEqual([]);
    expect(ofType(h.pass(100), "openProbe")).toHaveLength(1);
  });

  test("is not doubted while large results may be on their way", () => {
    const h = unanswered(200_000);
    expect(ofType(h.pass(3000), "openProbe")).toEqual([]);
    expect(ofType(h.pass(3000), "openProbe")).toEqual([]);
    expect(ofType(h.pass(1000), "openProbe")).toHaveLength(1);
  });

  test("is doubted when its heartbeat is late, without anything to answer", () => {
    const h = new SessionHarness();
    h.join();
    expect(ofType(h.pass(15_900), "openProbe")).toEqual([]);
    expect(ofType(h.pass(100), "openProbe")).toHaveLength(1);
  });

  test("is doubted when the network comes back; a client that waits connects at once", () => {
    const h = new SessionHarness();
    h.join();
    expect(ofType(h.feed({ type: "networkChanged" }), "openProbe")).toHaveLength(1);
    h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    expect(ofType(h.feed({ type: "networkChanged" }), "openConnection")).toHaveLength(1);
  });
});

describe("[MILES-2] results that wait long for their acknowledgement", () => {
  /** A session that has sent results 0 to 9 at once. */
  function tenSent(): SessionHarness {
    const h = new SessionHarness();
    h.join();
    for (let index = 0; index < 10; index++) {
      h.lease([leased(index)]);
      h.begin(0);
      h.report(0, { finished: [finished(index)] });
    }
    return h;
  }

  test("are not sent again while others are acknowledged", () => {
    const h = tenSent();
    for (let index = 0; index < 10; index++) {
      expect(sent(h.pass(10_000), "results")).toEqual([]);
      h.hear({ type: "accepted", job: job.id, indexes: [index] });
    }
    expect(h.session.state.unsent).toBe(0);
  });

  test("are sent again when none is for 30 s", () => {
    const h = tenSent();
    h.pass(20_000);
    h.hear({ type: "accepted", job: job.id, indexes: [0] });
    expect(sent(h.pass(29_000), "results")).toEqual([]);
    h.hear({ type: "heartbeat" });
    expect(sent(h.pass(2000), "results")[0]?.results).toHaveLength(9);
  });

  test("are sent again when results that were sent 30 s later are acknowledged", () => {
    const h = tenSent();
    let resent = 0;
    for (let index = 10; index < 14; index++) {
      for (const { results } of sent(h.pass(10_000), "results")) resent += results.length;
      h.lease([leased(index)]);
      h.begin(0);
      h.report(0, { finished: [finished(index)] });
      h.hear({ type: "accepted", job: job.id, indexes: [index] });
    }
    expect(resent).toBe(10);
  });
});

describe("[MILES-4] the queue of a client", () => {
  function wanted(h: SessionHarness): number {
    const { connection } = h.session.state;
    return connection.state === "connected" ? (connection.credit?.tasks ?? 0) : 0;
  }

  test("lasts through an interruption like the last one, for five minutes", () => {
    const h = new SessionHarness();
    h.join();
    h.teach(100);
    const usual = wanted(h);
    expect(usual).toBeLessThan(50);
    h.lease([leased(1)]);
    h.begin(0);
    h.now += 100;
    h.report(0, { finished: [finished(1)] });
    for (let second = 0; second < 10; second++) h.pass(1000);
    h.hear({ type: "accepted", job: job.id, indexes: [1] });
    // Two slots finish 20 tasks of 100 ms a second.
    expect(wanted(h)).toBeGreaterThanOrEqual(250);
    live(h, 301_000);
    h.teach(100);
    expect(wanted(h)).toBeLessThanOrEqual(usual);
  });
});

describe("[MILES-6] tasks above a minute", () => {
  const long = descriptor({ timeoutMs: 1e6 });
  const other = "1".repeat(64) as Sha256;
  const input = { sha256: other, size: 8_000_000 };

  /** A session of one slot that has computed a task of 70 s, whose data took `dataMs`, and computes the next. */
  function computing(dataMs: number): SessionHarness {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(1, { input })], long);
    h.feed({ type: "dataFetched", sha256: other, ms: dataMs });
    h.begin(0);
    live(h, 70_000);
    h.report(0, { finished: [finished(1)] });
    h.hear({ type: "accepted", job: job.id, indexes: [1] });
    h.lease([leased(2, { input })], long);
    h.begin(0);
    return h;
  }

  function wanted(h: SessionHarness): number {
    const { connection } = h.session.state;
    return connection.state === "connected" ? (connection.credit?.tasks ?? 0) : 0;
  }

  test.each([
    { dataMs: 0, at: 65_000 },
    { dataMs: 10_000, at: 46_000 },
  ])("are asked for shortly before a slot ends one: data that takes $dataMs ms", ({ dataMs, at }) => {
    const h = computing(dataMs);
    live(h, at - 1000);
    expect(wanted(h)).toBe(1);
    live(h, 2000);
    expect(wanted(h)).toBe(2);
  });

  test("have room while outputs are being uploaded, one a slot", () => {
    const h = computing(0);
    for (const index of [2, 3, 4]) {
      live(h, 70_000);
      h.report(0, { finished: [finished(index, new Uint8Array(300_000))] });
      expect(wanted(h)).toBeGreaterThanOrEqual(2);
      expect(wanted(h)).toBeLessThanOrEqual(3);
      h.lease([leased(index + 1, { input })], long);
      h.begin(0);
    }
  });

  /** A session of one slot in its first task of the job, whose data took `dataMs`. */
  function first(dataMs: number): SessionHarness {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(1, { input })], long);
    h.begin(0);
    h.feed({ type: "dataFetched", sha256: other, ms: dataMs });
    return h;
  }

  test("of unknown length are fetched two ahead when their data takes long, and go back after a minute", () => {
    const h = first(10_000);
    expect(wanted(h)).toBe(3);
    expect(ofType(h.lease([leased(2, { input })], long), "fetchQueued")).toHaveLength(1);
    live(h, 59_000);
    expect(wanted(h)).toBe(3);
    expect(sent(h.pass(1000), "release").flatMap(({ leases }) => leases)).toEqual([
      { job: job.id, index: 2, attempt: 1 },
    ]);
    expect(wanted(h)).toBe(1);
  });

  test("of unknown length wait on the server when their data comes quickly, however slow their kernel was", () => {
    const h = first(0);
    h.feed({ type: "dataFetched", sha256: job.kernel.sha256, ms: 5000 });
    expect(wanted(h)).toBe(1);
  });
});

describe("[TRANSFER-4] data of tasks that wait for a slot", () => {
  const blobs = [0, 1, 2, 3].map((index) => ({ sha256: `${index}`.repeat(64) as Sha256, size: 8_000_000 }));

  function asked(out: SessionInstruction[]): number[] {
    return ofType(out, "fetchQueued")
      .filter(({ blobs: [blob] }) => blob !== job.kernel)
      .map(({ lease }) => lease.index);
  }

  /** A session of two slots with four tasks of a new job, whose data are inputs or are read by the kernels. */
  function given(data: "inputs" | "refs"): { h: SessionHarness; first: number[] } {
    const h = new SessionHarness();
    h.join();
    const tasks = blobs.map((blob, index) =>
      leased(index, data === "refs" ? { refs: [blob] } : { input: blob }),
    );
    return { h, first: asked(h.lease(tasks)) };
  }

  test.each(["inputs", "refs"] as const)("is fetched once the first data of the job has come: %s", (data) => {
    const { h, first } = given(data);
    expect(first).toEqual([0, 1]);
    expect(asked(h.feed({ type: "dataFetched", sha256: job.kernel.sha256, ms: 10 }))).toEqual([]);
    expect(asked(h.feed({ type: "dataFetched", sha256: blobs[1]!.sha256, ms: 10 }))).toEqual([2, 3]);
    expect(asked(h.feed({ type: "dataFetched", sha256: blobs[0]!.sha256, ms: 10 }))).toEqual([]);
    expect(asked(h.lease([leased(4, { input: blobs[0]! })]))).toEqual([4]);
  });

  test("is fetched once a task of the job has ended", () => {
    const { h } = given("refs");
    h.begin(0);
    expect(asked(h.report(0, { finished: [finished(0)] }))).toEqual([2, 3]);
  });

  test("is not fetched for the data of another job", () => {
    const h = new SessionHarness();
    h.join();
    const other = descriptor({ id: "j_bbbbbbbbbbbbbbbb" as JobId });
    h.lease([leased(0, { input: blobs[0]! })], other);
    h.lease([leased(1, { input: blobs[1]! }), leased(2, { input: blobs[2]! })]);
    expect(asked(h.feed({ type: "dataFetched", sha256: blobs[0]!.sha256, ms: 10 }))).toEqual([]);
  });
});
