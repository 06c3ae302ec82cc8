import { describe, expect, test } from "vitest";
import { limits } from "../../../shared/limits.ts";
import { statusOf } from "../../../shared/client/status.ts";
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

function joined(slots = 1): SessionHarness {
  const h = new SessionHarness({ slots });
  h.join();
  return h;
}

/** Runs task `index` for `elapsedMs`, and returns the instructions of its report. */
function compute(h: SessionHarness, index: number, elapsedMs: number, output?: Uint8Array<ArrayBuffer>) {
  h.lease([leased(index)]);
  h.begin(0);
  h.now += elapsedMs;
  return h.report(0, { finished: [finished(index, output)] });
}

describe("[OUTBOX-1] [OUTBOX-2] results until the server has them", () => {
  test("a cheap result is sent and kept in memory only; acknowledged, it is gone", () => {
    const h = joined();
    const out = compute(h, 0, 10);
    expect(sent(out, "results")).toHaveLength(1);
    expect(ofType(out, "saveResults")).toEqual([]);
    expect(statusOf(h.session.state).unsent).toBe(1);
    expect(ofType(h.hear({ type: "accepted", job: job.id, indexes: [0] }), "forgetResults")).toEqual([]);
    expect(statusOf(h.session.state).unsent).toBe(0);
  });

  test("a costly result is on disk at once, and removed when acknowledged", () => {
    const h = joined();
    expect(ofType(compute(h, 0, 100), "saveResults")).toHaveLength(1);
    expect(ofType(h.hear({ type: "accepted", job: job.id, indexes: [0] }), "forgetResults")).toEqual([
      { type: "forgetResults", keys: [{ job: job.id, index: 0, attempt: 1 }] },
    ]);
  });

  test("unacknowledged for a second, a cheap one is kept too; for thirty, it is sent again", () => {
    const h = joined();
    compute(h, 0, 1);
    expect(ofType(h.pass(1000), "saveResults")).toHaveLength(1);
    expect(ofType(h.pass(1000), "saveResults")).toEqual([]);
    let resent = 0;
    for (let i = 0; i < 40; i++) {
      h.hear({ type: "heartbeat" });
      resent += sent(h.pass(1000), "results").length;
    }
    expect(resent).toBe(1);
  });

  test("a lost connection keeps everything, and the next delivers it", () => {
    const h = joined();
    compute(h, 0, 1);
    const out = h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    expect(ofType(out, "saveResults")[0]?.entries).toHaveLength(1);
    h.pass(30_000);
    h.feed({ type: "connectionOpened" });
    expect(sent(h.welcome(), "results")[0]?.results).toHaveLength(1);
  });

  test("a result the server does not want any more is forgotten", () => {
    const h = joined();
    compute(h, 0, 100);
    const out = h.rejoin([{ job: job.id, index: 0, attempt: 1 }]);
    expect(ofType(out, "forgetResults")).toHaveLength(1);
    expect(sent(out, "results")).toEqual([]);
  });

  test("a new lease of a task whose output is here delivers it again instead of computing it", () => {
    const h = joined();
    compute(h, 0, 100);
    const out = h.lease([leased(0, { attempt: 2 })]);
    expect(ofType(out, "runTasks")).toEqual([]);
    expect(sent(out, "results")[0]?.results[0]).toMatchObject({ index: 0, attempt: 2 });
    expect(ofType(out, "saveResults")[0]?.entries[0]?.result.attempt).toBe(2);
  });

  test("a new lease of a task that failed runs it again, and a late answer for the first does not forget the second", () => {
    const h = joined();
    h.lease([leased(0)]);
    h.begin(0);
    const failure = { kind: "error" as const, message: "boom" };
    const report = { finished: [{ index: 0, outcome: { state: "failed" as const, failure } }] };
    h.report(0, report);
    expect(ofType(h.lease([leased(0, { attempt: 2 })]), "runTasks")).toHaveLength(1);
    h.begin(0);
    h.report(0, report);
    h.hear({ type: "accepted", job: job.id, indexes: [0] });
    expect(statusOf(h.session.state).unsent).toBe(1);
    h.hear({ type: "accepted", job: job.id, indexes: [0] });
    expect(statusOf(h.session.state).unsent).toBe(0);
  });

  test("many results go in messages that stay under the frame limit", () => {
    const h = joined();
    h.teach(0.01);
    const tasks = Array.from({ length: 40 }, (_, index) => leased(index));
    h.lease(tasks);
    h.begin(0);
    const output = new Uint8Array(limits.inlineValueBytes);
    const out = h.report(0, { finished: tasks.map(({ index }) => finished(index, output)) });
    const messages = sent(out, "results");
    expect(messages.length).toBeGreaterThan(1);
    expect(messages.flatMap(({ results }) => results)).toHaveLength(40);
  });
});

describe("large outputs", () => {
  const large = new Uint8Array(limits.inlineValueBytes + 1);
  const name = { sha256: job.kernel.sha256, size: large.length };

  test("[DATA-2] become a blob first; then the result follows", () => {
    const h = joined();
    const out = compute(h, 0, 10, large);
    expect(sent(out, "results")).toEqual([]);
    const [upload] = ofType(out, "uploadOutput");
    expect(upload?.bytes).toBe(large);
    const after = h.feed({ type: "outputUploaded", upload: upload!.upload, name });
    expect(sent(after, "results")[0]?.results[0]?.outcome).toEqual({ state: "done", output: name });
    expect(ignored(h.feed({ type: "outputUploaded", upload: upload!.upload, name }))).toEqual([
      "outputUploaded: no result waits for upload 1",
    ]);
  });

  test("are not forgotten because an earlier attempt is acknowledged again", () => {
    const h = joined();
    compute(h, 0, 10, large);
    h.hear({ type: "accepted", job: job.id, indexes: [0] });
    expect(statusOf(h.session.state).unsent).toBe(1);
  });

  test("refused, they fail the task", () => {
    const h = joined();
    const [upload] = ofType(compute(h, 0, 10, large), "uploadOutput");
    const failure = { kind: "data" as const, message: "too large" };
    const out = h.feed({ type: "outputRefused", upload: upload!.upload, failure });
    expect(sent(out, "results")[0]?.results[0]?.outcome).toEqual({ state: "failed", failure });
    expect(statusOf(h.session.state)).toMatchObject({ done: 0, failed: 1 });
  });

  test("left in the outbox of an earlier run, they are uploaded before anything is sent", () => {
    const h = new SessionHarness();
    h.feed({ type: "startAsked" });
    const result = { index: 0, attempt: 1, elapsedMs: 9, outcome: { state: "done" as const, output: large } };
    const out = h.feed({ type: "stateLoaded", outbox: [{ job: job.id, result }], cached: [] });
    h.feed({ type: "connectionOpened" });
    expect(sent(h.welcome(), "results")).toEqual([]);
    const [upload] = ofType(out, "uploadOutput");
    const after = h.feed({ type: "outputUploaded", upload: upload!.upload, name });
    expect(sent(after, "results")).toHaveLength(1);
    expect(ofType(after, "saveResults")[0]?.entries[0]?.result.outcome).toMatchObject({ output: name });
  });
});

describe("progress, checkpoints, logs", () => {
  test("progress: the first at once, then at most one message in 500 ms, the newest wins", () => {
    const h = joined();
    h.lease([leased(0)]);
    h.begin(0);
    expect(sent(h.report(0, { progress: { index: 0, fraction: 0.1 } }), "progress")).toHaveLength(1);
    expect(sent(h.report(0, { progress: { index: 0, fraction: 0.2 } }), "progress")).toEqual([]);
    expect(sent(h.report(0, { progress: { index: 0, fraction: 0.3 } }), "progress")).toEqual([]);
    expect(h.session.state.wakeAt).toBe(h.now + 500);
    expect(sent(h.pass(500), "progress")[0]?.progress).toEqual([
      { job: job.id, index: 0, attempt: 1, fraction: 0.3 },
    ]);
    expect(statusOf(h.session.state).slots[0]).toMatchObject({ state: "running", fraction: 0.3 });
  });

  test("checkpoints: the first at once, then one in five seconds, the newest wins", () => {
    const h = joined();
    h.lease([leased(0)]);
    h.begin(0);
    const save = (byte: number) => h.report(0, { checkpoint: { index: 0, state: new Uint8Array([byte]) } });
    expect(sent(save(1), "checkpoint")).toHaveLength(1);
    expect(sent(save(2), "checkpoint")).toEqual([]);
    expect(sent(save(3), "checkpoint")).toEqual([]);
    expect(sent(h.pass(4999), "checkpoint")).toEqual([]);
    expect(sent(h.pass(1), "checkpoint").map(({ state }) => state)).toEqual([new Uint8Array([3])]);
  });

  test("a checkpoint that may have been lost with the connection is sent again", () => {
    const h = joined();
    h.lease([leased(0)]);
    h.begin(0);
    h.report(0, { checkpoint: { index: 0, state: new Uint8Array([1]) } });
    expect(sent(h.rejoin(), "checkpoint")).toHaveLength(1);
  });

  test("logs are passed on, within bounds", () => {
    const h = joined();
    h.lease([leased(0)]);
    h.begin(0);
    let lines = 0;
    for (let i = 0; i < 100; i++)
      lines += sent(h.report(0, { log: { index: 0, lines: Array(20).fill("x") } }), "log").flatMap(
        (message) => message.lines,
      ).length;
    expect(lines).toBe(500);
    h.pass(5000);
    expect(sent(h.report(0, { log: { index: 0, lines: ["y"] } }), "log")).toHaveLength(1);
  });
});
