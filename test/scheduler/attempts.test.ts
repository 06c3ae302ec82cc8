import { describe, expect, test } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

const leaseSlackMs = 60_000;

/** A client that lost its first lease of the only task, and has its second. */
function onSecondAttempt(): { h: SchedulerHarness; job: JobId; client: ClientId } {
  const h = new SchedulerHarness();
  const job = h.addJob({ maxAttempts: 3 });
  const client = h.join(1);
  h.claim(job, [0]);
  h.feed({ type: "clientVanished", client });
  h.pass(30_001);
  h.join(1, { id: client });
  expect(leasesIn(h.last)).toEqual([{ client, job, index: 0, attempt: 2 }]);
  return { h, job, client };
}

describe("messages of an earlier lease do not change the present lease", () => {
  test("[FAIL-3] a failure of it is acknowledged and counts no attempt", () => {
    const { h, job, client } = onSecondAttempt();
    h.fail(client, job, 0, 1);
    expect(h.last).toEqual([{ type: "sendAccepted", client, job, indexes: [0] }]);
    expect(h.scheduler.runningJobs().get(job)).toBe(1);
    h.fail(client, job, 0, 2);
    expect(ofType(h.last, "storeAttempts")).toMatchObject([{ attempts: [{ index: 0, attempts: 2 }] }]);
  });

  test("[LEASE-4] a release of it does not take the task away", () => {
    const { h, job, client } = onSecondAttempt();
    h.feed({ type: "leasesReleased", client, leases: [{ job, index: 0, attempt: 1 }] });
    expect(h.last).toEqual([]);
    expect(h.scheduler.runningJobs().get(job)).toBe(1);
  });

  test("progress and checkpoint are not taken", () => {
    const { h, job, client } = onSecondAttempt();
    const lease = { job, index: 0, attempt: 1 };
    h.feed({ type: "progressReceived", client, lease, fraction: 0.9 });
    h.feed({ type: "checkpointReceived", client, lease, state: new Uint8Array([1]) });
    expect(h.last).toEqual([]);
    expect(h.scheduler.progress(job)).toEqual({ running: 1, done: 0 });
  });
});

describe("a checkpoint", () => {
  test("goes to the store, and with the task to the next client", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const first = h.join(1);
    h.claim(job, [0]);
    const lease = { job, index: 0, attempt: 1 };
    for (const byte of [1, 2]) {
      const state = new Uint8Array([byte]);
      h.feed({ type: "checkpointReceived", client: first, lease, state });
      expect(h.last).toEqual([{ type: "storeCheckpoint", job, index: 0, state }]);
    }
    h.feed({ type: "clientLeft", client: first });
    h.join(1);
    expect(ofType(h.last, "sendLease")).toMatchObject([
      { tasks: [{ index: 0, attempt: 2, resume: new Uint8Array([2]) }] },
    ]);
  });

  test("of another client's task is not taken", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    h.join(1);
    h.claim(job, [0]);
    const other = h.join(0);
    const lease = { job, index: 0, attempt: 1 };
    h.feed({ type: "checkpointReceived", client: other, lease, state: new Uint8Array([6]) });
    expect(h.last).toEqual([]);
  });
});

describe("[LEASE-3] the time of a lease", () => {
  test("is that of the tasks before it in the client's queue, too: a client works in order", () => {
    const timeoutMs = 60_000;
    const h = new SchedulerHarness({ speculate: false });
    const job = h.addJob({ timeoutMs });
    const client = h.join(0, { slots: 2 });
    h.claim(job, [0, 1, 2, 3, 4]);
    h.want(client, 5, 2);
    expect(leasesIn(h.last)).toHaveLength(5);
    h.want(client, 0, 2);
    const cancelledBy = (): number[] => ofType(h.last, "sendCancel").flatMap(({ indexes }) => indexes ?? []);
    h.pass(timeoutMs + leaseSlackMs - 1);
    expect(cancelledBy()).toEqual([]);
    h.pass(1);
    expect(cancelledBy()).toEqual([0, 1]);
    h.pass(timeoutMs - 1);
    expect(cancelledBy()).toEqual([]);
    h.pass(1);
    expect(cancelledBy()).toEqual([2, 3]);
    h.pass(timeoutMs);
    expect(cancelledBy()).toEqual([4]);
  });
});
