import { describe, expect, test } from "vitest";
import { DataReference } from "../../../shared/data-reference.ts";
import { encodeValue } from "../../../shared/wire/codec.ts";
import { limits } from "../../../shared/limits.ts";
import { sha256Hex } from "../../../shared/hash.ts";
import type { JobId } from "../../../shared/ids.ts";
import { rangesIn } from "../../../shared/client/data/queued-ranges.ts";
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
const other = descriptor({
  id: "j_bbbbbbbbbbbbbbbb" as JobId,
  kernel: { sha256: sha256Hex(new Uint8Array([2])), size: 1 },
});
const failed = (index: number) => ({
  index,
  outcome: { state: "failed" as const, failure: { kind: "error" as const, message: "boom" } },
});

describe("running tasks", () => {
  test("[TRANSFER-4] the ranges of large blobs that inputs name are fetched ahead", () => {
    const h = new SessionHarness();
    h.join();
    const stack = new DataReference(sha256Hex(new Uint8Array([9])), 10 ** 10);
    const input = encodeValue({ images: [stack.slice(5, 10), [stack.slice(100, 2000)]], all: stack });
    const refs = [{ sha256: stack.sha256, size: stack.size }];
    const out = h.lease([leased(0), leased(1, { input, refs })]);
    expect(ofType(out, "fetchQueued").at(-1)).toMatchObject({ lease: { index: 1 }, blobs: refs, input });
    expect(rangesIn(input)).toEqual([
      { ...refs[0], range: [5, 10] },
      { ...refs[0], range: [100, 2000] },
    ]);
    expect(rangesIn(new Uint8Array([0xc1]))).toEqual([]);
  });

  test("a lease opens a sandbox, fetches data ahead and runs in the order leased", () => {
    const h = new SessionHarness();
    h.join();
    const blob = { sha256: sha256Hex(new Uint8Array([9])), size: 9 };
    const out = h.lease([leased(0), leased(1, { refs: [blob] }), leased(2, { input: blob })]);
    expect(ofType(out, "fetchQueued").map(({ lease, blobs }) => ({ index: lease.index, blobs }))).toEqual([
      { index: 0, blobs: [job.kernel] },
      { index: 1, blobs: [blob] },
    ]);
    expect(ofType(out, "openSandbox").map(({ slot, memoryMb }) => ({ slot, memoryMb }))).toEqual([
      { slot: 0, memoryMb: 64 },
      { slot: 1, memoryMb: 64 },
    ]);
    expect(ofType(out, "runTasks").map(({ tasks }) => tasks.map(({ index }) => index))).toEqual([[0], [1]]);
    h.begin(0);
    const next = h.report(0, { finished: [finished(0)] });
    expect(sent(next, "results")).toEqual([
      {
        type: "results",
        job: job.id,
        results: [
          { index: 0, attempt: 1, elapsedMs: 0, outcome: { state: "done", output: new Uint8Array([0]) } },
        ],
      },
    ]);
    expect(ofType(next, "runTasks").map(({ tasks }) => tasks.map(({ index }) => index))).toEqual([[2]]);
    expect(ofType(next, "openSandbox")).toEqual([]);
  });

  test("tiny tasks travel in bundles of one job; an unknown job's go one by one", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.teach(0.01);
    const many = Array.from({ length: 500 }, (_, index) => leased(index));
    const out = h.lease(many);
    expect(ofType(out, "runTasks")[0]?.tasks).toHaveLength(500);
    h.lease([leased(0), leased(1)], other);
    h.begin(0);
    const next = h.report(0, { finished: many.map(({ index }) => finished(index)) });
    expect(ofType(next, "runTasks")[0]?.tasks).toHaveLength(1);
    expect(ofType(next, "runTasks")[0]?.kernel).toEqual(other.kernel);
  });

  test("[KERNEL-2] no kernel meets the traces of another: another kernel or customer gets a new sandbox", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    const bobs = descriptor({ id: "j_cccccccccccccccc" as JobId, customer: "bob" });
    const opened: number[] = [];
    for (const [index, next] of [job, other, job, bobs, bobs].entries()) {
      const out = h.lease([leased(index)], next);
      opened.push(ofType(out, "openSandbox").length);
      expect(ofType(out, "closeSandbox")).toHaveLength(index === 0 ? 0 : opened[index]!);
      h.begin(0);
      h.report(0, { finished: [finished(index)] });
    }
    expect(opened).toEqual([1, 1, 1, 1, 0]);
  });

  test("a slot stays with its kernel while it can, and changes when others have waited", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.lease([leased(5)], other);
    h.now += 1;
    h.lease([leased(2), leased(3)]);
    for (const index of [0, 1]) {
      h.begin(0);
      h.now += 100;
      const out = h.report(0, { finished: [finished(index)] });
      expect(ofType(out, "openSandbox")).toEqual([]);
    }
    expect(h.bundleOf(0).job.id).toBe(job.id);
    h.now += 2000;
    const out = h.report(0, { finished: [finished(2)] });
    expect(ofType(out, "runTasks")[0]?.kernel).toEqual(other.kernel);
  });

  test("[BITS-1] a sandbox is portable where the job is, and serves no other job", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    const portable = descriptor({ id: "j_pppppppppppppppp" as JobId, portable: true });
    const made = [portable, job, job].map((next, index) => {
      const out = h.lease([leased(index)], next);
      h.begin(0);
      h.report(0, { finished: [finished(index)] });
      return [ofType(out, "openSandbox").length, ofType(out, "runTasks")[0]?.portable];
    });
    expect(made).toEqual([
      [1, true],
      [1, false],
      [0, false],
    ]);
  });

  test("[KERNEL-6] a sandbox that had no task for its idle time is closed; a task before that keeps it", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    for (const index of [0, 1]) {
      expect(ofType(h.lease([leased(index)]), "openSandbox")).toHaveLength(index === 0 ? 1 : 0);
      h.begin(0);
      h.report(0, { finished: [finished(index)] });
      expect(ofType(h.pass(999), "closeSandbox")).toEqual([]);
    }
    expect(h.session.state.wakeAt).toBe(h.now + 1);
    expect(ofType(h.pass(1), "closeSandbox")).toHaveLength(1);
    expect(ofType(h.lease([leased(2)]), "openSandbox")).toHaveLength(1);
  });

  test("[KERNEL-5] the tasks of a report share the session's own time, however often a report names them", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.teach(0.01);
    h.lease([leased(0), leased(1), leased(2)]);
    h.begin(0);
    h.now += 100;
    const first = h.report(0, { finished: [finished(0), finished(0), finished(0), finished(1)] });
    h.now += 30;
    const second = h.report(0, { finished: [finished(2)] });
    const times = [first, second].flatMap((out) => sent(out, "results").flatMap(({ results }) => results));
    expect(times.map(({ index, elapsedMs }) => [index, elapsedMs])).toEqual([
      [0, 50],
      [1, 50],
      [2, 30],
    ]);
  });

  test("[KERNEL-4] nonsense from a sandbox is ignored: unknown tasks, second finishes, foreign sandboxes", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    expect(ignored(h.report(0, { finished: [finished(7)] }))).toEqual([
      "tasksReported: 1 parts are of tasks that run 1 does not have",
    ]);
    expect(
      ignored(h.feed({ type: "tasksReported", slot: 0, sandbox: 99, report: { finished: [finished(0)] } })),
    ).toEqual(["tasksReported: sandbox 99 has no bundle"]);
    expect(
      ignored(h.feed({ type: "tasksReported", slot: 9, sandbox: 1, report: { finished: [finished(0)] } })),
    ).toEqual(["tasksReported: sandbox 1 has no bundle"]);
    const out = h.report(0, { finished: [finished(0), finished(0), failed(0)] });
    expect(sent(out, "results")[0]?.results).toHaveLength(1);
    expect(statusOf(h.session.state)).toMatchObject({ done: 1, failed: 0 });
  });

  test("a kernel's failure is a result", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)]);
    h.begin(0);
    const [results] = sent(h.report(0, { finished: [failed(0)] }), "results");
    expect(results?.results[0]?.outcome).toEqual({
      state: "failed",
      failure: { kind: "error", message: "boom" },
    });
    expect(statusOf(h.session.state)).toMatchObject({ done: 0, failed: 1 });
  });

  test("a kernel that does not load fails every task of its bundle with the loader's message", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)]);
    const { run } = h.bundleOf(0);
    const failure = { kind: "error" as const, message: "SyntaxError: no" };
    const out = h.feed({ type: "kernelRefused", slot: 0, run, failure });
    expect(sent(out, "results")[0]?.results[0]?.outcome).toEqual({ state: "failed", failure });
  });

  test("an input that cannot be fetched fails its task alone", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.teach(0.01);
    h.lease([leased(0), leased(1)]);
    const { run } = h.bundleOf(0);
    const failure = { kind: "data" as const, message: "gone" };
    const out = h.feed({ type: "inputsRefused", slot: 0, run, failures: [{ index: 1, failure }] });
    expect(sent(out, "results")[0]?.results.map(({ index }) => index)).toEqual([1]);
    expect([...h.bundleOf(0).remaining.keys()]).toEqual([0]);
  });
});

describe("[FAIL-2] kernels that misbehave", () => {
  test("a task over its timeout is ended and fails", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)], descriptor({ timeoutMs: 500 }));
    h.begin(0);
    expect(h.session.state.wakeAt).toBe(h.now + 500);
    expect(ofType(h.pass(499), "closeSandbox")).toEqual([]);
    const out = h.pass(1);
    expect(ofType(out, "closeSandbox")).toHaveLength(1);
    expect(sent(out, "results")[0]?.results[0]).toMatchObject({
      elapsedMs: 500,
      outcome: { state: "failed", failure: { kind: "timeout" } },
    });
  });

  test("a task of a bundle has its own time limit", () => {
    const h = new SessionHarness({ slots: 1 });
    const short = descriptor({ timeoutMs: 500 });
    h.join();
    h.teach(0.01, short);
    h.lease([leased(0), leased(1)], short);
    h.begin(0);
    h.pass(400);
    h.report(0, { finished: [finished(0)] });
    h.pass(400);
    expect(h.bundleOf(0).remaining.size).toBe(1);
    expect(sent(h.pass(100), "results")[0]?.results[0]?.index).toBe(1);
  });

  test("a sandbox that dies fails the one task it had, with the reason", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)]);
    h.begin(0);
    const out = h.crash(0, "memory", "over 64 MB");
    expect(sent(out, "results")[0]?.results[0]?.outcome).toEqual({
      state: "failed",
      failure: { kind: "memory", message: "over 64 MB" },
    });
  });

  test("of a bundle that dies each task runs again alone on a fresh sandbox, and only the one that does it again fails", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.teach(0.01);
    h.lease([leased(0), leased(1), leased(2)]);
    h.begin(0);
    h.report(0, { finished: [finished(0)] });
    let out = h.crash(0);
    expect(sent(out, "results")).toEqual([]);
    for (const index of [1, 2]) {
      expect(ofType(out, "runTasks")[0]?.tasks.map((task) => task.index)).toEqual([index]);
      h.begin(0);
      out = index === 1 ? h.crash(0, "crash", "again") : h.report(0, { finished: [finished(2)] });
    }
    expect(sent(out, "results")[0]?.results.map(({ index }) => index)).toEqual([2]);
    expect(statusOf(h.session.state)).toMatchObject({ failed: 1 });
  });

  test("a sandbox that ends its bundle without a result has crashed, unless the report still comes", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    h.feed({ type: "bundleEnded", slot: 0, run: h.bundleOf(0).run });
    expect(sent(h.report(0, { finished: [finished(0)] }), "results")).toHaveLength(1);
    h.begin(0);
    h.feed({ type: "bundleEnded", slot: 0, run: h.bundleOf(0).run });
    const out = h.pass(1000);
    expect(sent(out, "results")[0]?.results[0]).toMatchObject({
      index: 1,
      outcome: { failure: { kind: "crash" } },
    });
  });

  test("no sandbox: the task goes back, the slot waits and says why", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    const [open] = ofType(h.lease([leased(0)]), "openSandbox");
    const out = h.feed({ type: "sandboxFailed", slot: 0, sandbox: open!.sandbox, reason: "no memory" });
    expect(sent(out, "release")).toEqual([
      { type: "release", leases: [{ job: job.id, index: 0, attempt: 1 }] },
    ]);
    expect(sent(out, "want")).toEqual([{ type: "want", tasks: 0, slots: 0 }]);
    expect(statusOf(h.session.state).slots[0]).toMatchObject({ state: "broken", reason: "no memory" });
    expect(sent(h.pass(1000), "want")).toEqual([{ type: "want", tasks: 1, slots: 1 }]);
  });

  test("[LEASE-7] a sleep through a task's own deadline gives it its time again, once: a hanging kernel ends", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)], descriptor({ timeoutMs: 3000 }));
    h.begin(0);
    h.hear({ type: "heartbeat" });
    expect(sent(h.pass(30_000), "results")).toEqual([]);
    expect(h.bundleOf(0).deadline).toBe(h.now + 3000);
    expect(sent(h.pass(9000), "results")[0]?.results[0]?.outcome).toMatchObject({
      failure: { kind: "timeout" },
    });
  });

  test("[LEASE-7] a computer that sleeps does not let its tasks time out", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)], descriptor({ timeoutMs: 100_000 }));
    h.begin(0);
    const out = h.pass(3_600_000);
    expect(sent(out, "results")).toEqual([]);
    expect(h.bundleOf(0).deadline).toBeGreaterThan(h.now);
  });
});

describe("[CANCEL-1] a cancelled task", () => {
  test("a waiting task is forgotten, a running one terminated at once, nothing is reported", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1), leased(2)]);
    h.begin(0);
    expect(ofType(h.hear({ type: "cancel", job: job.id, indexes: [1] }), "closeSandbox")).toEqual([]);
    const out = h.hear({ type: "cancel", job: job.id, indexes: [0] });
    expect(ofType(out, "closeSandbox")).toHaveLength(1);
    expect(sent(out, "results")).toEqual([]);
    expect(ofType(out, "runTasks")[0]?.tasks.map(({ index }) => index)).toEqual([2]);
  });

  test("the other tasks of a bundle run again, with their checkpoints", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.teach(0.01);
    h.lease([leased(0), leased(1), leased(2)]);
    h.begin(0);
    h.report(0, { checkpoint: { index: 0, state: new Uint8Array([5]) } });
    const out = h.hear({ type: "cancel", job: job.id, indexes: [1] });
    const [run] = ofType(out, "runTasks");
    expect(run?.tasks.map(({ index, resume }) => ({ index, resume }))).toEqual([
      { index: 0, resume: new Uint8Array([5]) },
      { index: 2, resume: undefined },
    ]);
  });

  test("a whole job: all slots, the queue and unacknowledged results", () => {
    const h = new SessionHarness({ slots: 2 });
    h.join();
    h.lease([leased(0), leased(1), leased(2), leased(3)]);
    h.begin(0);
    h.now += 200;
    h.report(0, { finished: [finished(0)] });
    const out = h.hear({ type: "cancel", job: job.id });
    expect(ofType(out, "closeSandbox")).toHaveLength(2);
    expect(ofType(out, "forgetResults")).toHaveLength(1);
    expect(statusOf(h.session.state)).toMatchObject({ queued: 0, unsent: 0 });
  });

  test("[MEM-2] a job that is over is remembered without its tasks", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.teach(0.01);
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    h.report(0, { finished: [finished(0), finished(1)] });
    h.lease([leased(0), leased(1), leased(2)], other);
    h.hear({ type: "cancel", job: other.id });
    const { jobs } = h.session.state;
    expect([...jobs.values()].map(({ id, queue }) => [id, queue.length])).toEqual([
      [job.id, 0],
      [other.id, 0],
    ]);
  });

  test("a second lease of a running task is the same task, reported under the new attempt", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)]);
    h.begin(0);
    expect(ofType(h.lease([leased(0, { attempt: 2 })]), "runTasks")).toEqual([]);
    const [results] = sent(h.report(0, { finished: [finished(0)] }), "results");
    expect(results?.results[0]?.attempt).toBe(2);
  });

  test("[FLOW-1] leases beyond what a client ever holds go back at once, and the others stay", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    const most = limits.tasksHeldPerClient;
    const indexes = Array.from({ length: most + 2 }, (_, index) => index);
    const out = h.lease(indexes.map((index) => leased(index)));
    const released = sent(out, "release").flatMap(({ leases }) => leases.map(({ index }) => index));
    expect(released).toEqual([most, most + 1]);
  });
});
