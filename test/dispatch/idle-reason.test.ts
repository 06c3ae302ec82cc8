import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import type { ClientId } from "../../shared/ids.ts";
import type { IdleReason } from "../../shared/wire/protocol.ts";
import { whyIdle } from "../../server/dispatch/why/idle.ts";
import { SchedulerHarness } from "../support/scheduler-harness.ts";

/** The reason that a client is told. */
function reason(h: SchedulerHarness, client: ClientId): IdleReason | undefined {
  return whyIdle(h.scheduler.state, h.scheduler.client(client)!);
}

describe("[IDLE-1] why a client has no task", () => {
  test("nobody has a job, or all tasks are with others", () => {
    const h = new SchedulerHarness();
    const idle = h.join(1);
    expect(reason(h, idle)).toEqual({ reason: "none", jobs: 0 });
    const job = h.addJob();
    h.claim(job, [0]);
    expect(reason(h, idle)).toBeUndefined();
    const other = h.join(1);
    expect(reason(h, other)).toEqual({ reason: "taken", jobs: 1 });
  });

  test("a client that asks for nothing is told nothing", () => {
    const h = new SchedulerHarness();
    const client = h.join(0);
    expect(reason(h, client)).toBeUndefined();
    h.want(client, 1);
    expect(reason(h, client)).toEqual({ reason: "none", jobs: 0 });
  });

  test("jobs are paused: the cause that holds for most of them is told", () => {
    const h = new SchedulerHarness();
    const client = h.join(1);
    for (let i = 0; i < 3; i++) h.addJob({ paused: true });
    h.addJob({ requires: { webgpu: true } });
    expect(reason(h, client)).toEqual({ reason: "paused", jobs: 3 });
  });

  test.each([
    [{ webgpu: true }, "webgpu"],
    [{ memoryMb: 2 ** 30 }, "memory"],
    [{ trusted: true }, "trusted"],
    // [COMMAND-2] What a stranger would have to allow is told before the trust that it lacks.
    [{ command: "sort", trusted: true }, "command"],
  ])("jobs need %j", (requires, needs) => {
    const h = new SchedulerHarness();
    const client = h.join(1, { trusted: false, cohort: "lab", webgpu: false });
    h.addJob({ requires });
    expect(reason(h, client)).toEqual({ reason: "needs", jobs: 1, needs });
  });

  test("a full quota, and a damaged kernel", () => {
    const h = new SchedulerHarness();
    const client = h.join(1);
    h.addJob({ customer: "ada" });
    h.feed({ type: "quotaChanged", customer: "ada", full: true });
    expect(reason(h, client)).toEqual({ reason: "full", jobs: 1 });
    h.feed({ type: "quotaChanged", customer: "ada", full: false });
    h.feed({ type: "dataChanged", sha256: sha256Hex(new Uint8Array([1])), isMissing: true });
    expect(reason(h, client)).toEqual({ reason: "data", jobs: 1 });
  });

  test("tasks wait for the result of somebody else", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ verify: { quorum: 2 } });
    h.claim(job, [0]);
    const stranger = { trusted: false, cohort: "10.0.0" };
    const client = h.join(2, stranger);
    h.finish(client, job, 0);
    h.feed({ type: "opinionKept", job, index: 0, opinion: { window: 1, client, cohort: stranger.cohort } });
    h.claim(job, []);
    expect(reason(h, client)).toEqual({ reason: "answered", jobs: 1 });
  });
});
