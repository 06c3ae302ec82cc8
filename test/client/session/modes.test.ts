import { describe, expect, test } from "vitest";
import { bundleSize, queueBeyondSlots, updateMean } from "../../../shared/client/session/credit.ts";
import type { JobId } from "../../../shared/ids.ts";
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

describe("[FLOW-1] how much a client asks for", () => {
  test("unknown tasks: as many as there are slots; long ones: next to nothing beyond; tiny ones: hundreds", () => {
    const base = { slots: 4, roundTripMs: 10, inputBytes: 100 };
    expect(queueBeyondSlots({ ...base, meanMs: undefined })).toBe(0);
    expect(queueBeyondSlots({ ...base, meanMs: 3_600_000 })).toBe(0);
    expect(queueBeyondSlots({ ...base, meanMs: 5000 })).toBe(1);
    expect(queueBeyondSlots({ ...base, meanMs: 100 })).toBeLessThan(20);
    expect(queueBeyondSlots({ ...base, meanMs: 1 })).toBeGreaterThan(300);
    expect(queueBeyondSlots({ ...base, meanMs: 1, roundTripMs: 300 })).toBeGreaterThan(
      queueBeyondSlots({ ...base, meanMs: 1 }),
    );
    expect(queueBeyondSlots({ ...base, meanMs: 0.001, inputBytes: 256 * 1024 })).toBeLessThanOrEqual(64);
  });

  test("bundles: about 250 ms of work, shared between the slots, one at a time while unknown", () => {
    const hourMs = 3_600_000;
    expect(bundleSize(undefined, hourMs, 1000, 2)).toBe(1);
    expect(bundleSize(10_000, hourMs, 1000, 2)).toBe(1);
    expect(bundleSize(0.1, hourMs, 10_000, 2)).toBe(2500);
    expect(bundleSize(0.1, hourMs, 100, 4)).toBe(25);
    expect(bundleSize(0.001, hourMs, 100_000, 1)).toBe(4096);
  });

  test("a bundle is over well before the time of one task is, as its results may come together", () => {
    expect(bundleSize(10, 200, 1000, 2)).toBe(5);
    expect(bundleSize(10, 10, 1000, 2)).toBe(1);
  });

  test("the mean follows a kernel that warms up at once, and an outlier slowly", () => {
    expect(updateMean(5, 10, 1)).toBeCloseTo(0.1);
    expect(updateMean(1, 1, 100)).toBeLessThan(25);
    expect(updateMean(undefined, 1, 0)).toBeGreaterThan(0);
  });

  test("credit grows with measured times, and is not repeated for small changes", () => {
    const h = new SessionHarness();
    expect(sent(h.join(), "want")).toEqual([{ type: "want", tasks: 2, slots: 2 }]);
    h.teach(0.05);
    const { connection } = h.session.state;
    expect(connection.state === "connected" && connection.credit?.tasks).toBeGreaterThan(500);
    let wants = 0;
    for (let index = 0; index < 50; index++) {
      h.lease([leased(index)]);
      h.begin(0);
      h.now += 0.05;
      wants += sent(h.report(0, { finished: [finished(index)] }), "want").length;
    }
    expect(wants).toBeLessThan(3);
  });

  test("tasks that turn out long go back to others", () => {
    const h = new SessionHarness();
    h.join();
    h.teach(0.05);
    h.lease(
      Array.from({ length: 1000 }, (_, index) => leased(index)),
      descriptor({ id: "j_longlonglonglong" as never }),
    );
    h.begin(0);
    h.begin(1);
    expect(h.session.state.queuedTasks).toBe(998);
    let released = 0;
    for (let i = 0; i < 8; i++)
      released += sent(h.pass(250), "release").flatMap(({ leases }) => leases).length;
    expect(released).toBeGreaterThan(900);
    expect(h.session.state.queuedTasks).toBeLessThan(20);
  });
});

describe("pause, drain, stop", () => {
  test("pause asks for no task, hands back waiting tasks, lets running tasks end; resume asks again", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    const out = h.feed({ type: "pauseAsked" });
    expect(sent(out, "release")[0]?.leases).toEqual([{ job: job.id, index: 1, attempt: 1 }]);
    expect(sent(out, "want")).toEqual([{ type: "want", tasks: 0, slots: 0 }]);
    expect(sent(h.lease([leased(2)]), "release")[0]?.leases).toEqual([{ job: job.id, index: 2, attempt: 1 }]);
    expect(sent(h.report(0, { finished: [finished(0)] }), "results")).toHaveLength(1);
    expect(statusOf(h.session.state)).toMatchObject({ mode: "paused", slots: [{ state: "idle" }] });
    expect(sent(h.feed({ type: "resumeAsked" }), "want")[0]?.slots).toBe(1);
  });

  test("drain finishes running tasks, delivers, says goodbye", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    h.report(0, { checkpoint: { index: 0, state: new Uint8Array([1]) } });
    h.report(0, { checkpoint: { index: 0, state: new Uint8Array([2]) } });
    const out = h.feed({ type: "drainAsked" });
    expect(sent(out, "checkpoint")).toHaveLength(1);
    expect(sent(out, "release")[0]?.leases).toHaveLength(1);
    expect(ofType(out, "finishStop")).toEqual([]);
    expect(ofType(h.report(0, { finished: [finished(0)] }), "finishStop")).toEqual([]);
    const end = h.hear({ type: "accepted", job: job.id, indexes: [0] });
    expect(sent(end, "goodbye")).toHaveLength(1);
    expect(end.map(({ type }) => type)).toEqual([
      "sendMessage",
      "closeConnection",
      "closeSandbox",
      "finishStop",
    ]);
    expect(statusOf(h.session.state)).toMatchObject({ mode: "stopped", connection: { state: "stopped" } });
  });

  test("drain without a server ends when everything is on disk", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)]);
    h.begin(0);
    h.feed({ type: "connectionClosed", code: 1006, reason: "" });
    h.feed({ type: "drainAsked" });
    const out = h.report(0, { finished: [finished(0)] });
    expect(ofType(out, "saveResults")).toHaveLength(1);
    expect(ofType(out, "finishStop")).toHaveLength(1);
  });

  test("[LEASE-4] stop says goodbye at once, keeps unacknowledged results, ends every sandbox, and may be repeated", () => {
    const h = new SessionHarness({ slots: 2 });
    h.join();
    h.lease([leased(0), leased(1), leased(2)]);
    h.begin(0);
    h.begin(1);
    h.report(0, { finished: [finished(0)] });
    h.report(1, { checkpoint: { index: 1, state: new Uint8Array([1]) } });
    h.report(1, { checkpoint: { index: 1, state: new Uint8Array([2]) } });
    const out = h.feed({ type: "stopAsked" });
    expect(sent(out, "checkpoint").map(({ state }) => state)).toEqual([new Uint8Array([2])]);
    expect(ofType(out, "sendMessage").at(-1)?.message).toEqual({ type: "goodbye" });
    expect(ofType(out, "saveResults")[0]?.entries).toHaveLength(1);
    expect(ofType(out, "closeSandbox")).toHaveLength(2);
    expect(h.session.state.wakeAt).toBe(Infinity);
    expect(h.feed({ type: "stopAsked" })).toEqual([{ type: "finishStop" }]);
    expect(ignored(h.crash(0))).toEqual(["sandboxEnded: sandbox 0 is closed"]);
  });

  test("a session started again after a stop delivers the remaining results", () => {
    const h = new SessionHarness({ slots: 1 });
    h.join();
    h.lease([leased(0)]);
    h.begin(0);
    h.report(0, { finished: [finished(0)] });
    h.feed({ type: "stopAsked" });
    expect(sent(h.join(), "results")[0]?.results).toHaveLength(1);
  });

  test("fewer slots: the surplus ends after its task; more: at once", () => {
    const h = new SessionHarness({ slots: 2 });
    h.join();
    h.lease([leased(0), leased(1)]);
    h.begin(0);
    h.begin(1);
    expect(ofType(h.feed({ type: "slotsChosen", slots: 1 }), "closeSandbox")).toEqual([]);
    expect(statusOf(h.session.state).slots).toHaveLength(2);
    const out = h.report(1, { finished: [finished(1)] });
    expect(ofType(out, "closeSandbox")).toHaveLength(1);
    expect(statusOf(h.session.state).slots).toHaveLength(1);
    expect(sent(h.feed({ type: "slotsChosen", slots: 3 }), "want")[0]?.slots).toBe(3);
    expect(statusOf(h.session.state).slots).toHaveLength(3);
  });
});

describe("[GPU-2] WebGPU that is found after the start", () => {
  const wants = (out: Parameters<typeof sent>[0]): unknown[] => sent(out, "want");

  test("is told with the credit, once, and by the next hello", () => {
    const h = new SessionHarness();
    h.join();
    expect(wants(h.feed({ type: "webGpuChanged", has: true }))).toEqual([
      { type: "want", tasks: 2, slots: 2, webgpu: true },
    ]);
    expect(wants(h.feed({ type: "webGpuChanged", has: true }))).toEqual([]);
    expect(wants(h.feed({ type: "slotsChosen", slots: 3 }))).toEqual([{ type: "want", tasks: 3, slots: 3 }]);
    const again = h.rejoin();
    expect(sent(again, "hello")[0]?.webgpu).toBe(true);
    expect(wants(again)).toEqual([{ type: "want", tasks: 3, slots: 3 }]);
    expect(wants(h.feed({ type: "webGpuChanged", has: false }))).toEqual([
      { type: "want", tasks: 3, slots: 3, webgpu: false },
    ]);
  });

  test("is told to a server of another version by hello alone", () => {
    const h = new SessionHarness();
    h.feed({ type: "startAsked" });
    h.feed({ type: "stateLoaded", outbox: [], cached: [] });
    h.feed({ type: "connectionOpened" });
    h.welcome([], "0.2.0");
    expect(wants(h.feed({ type: "webGpuChanged", has: true }))).toEqual([]);
    expect(sent(h.rejoin(), "hello")[0]?.webgpu).toBe(true);
  });

  test("a sandbox serves jobs with it or without", () => {
    const h = new SessionHarness();
    h.join();
    const opened = (tasks: ReturnType<typeof h.lease>) =>
      ofType(tasks, "openSandbox").map(({ webgpu }) => webgpu);
    expect(opened(h.lease([leased(0)], { ...job, webgpu: true }))).toEqual([true]);
    expect(opened(h.lease([leased(1)], descriptor({ id: "j_bbbbbbbbbbbbbbbb" as JobId })))).toEqual([false]);
  });
});
