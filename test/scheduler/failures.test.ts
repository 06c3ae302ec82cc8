import { describe, expect, test } from "vitest";
import { leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

describe("failures", () => {
  test("[FAIL-1] an attempt that fails is tried again, on another client when there is one, up to maxAttempts", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ maxAttempts: 3 });
    const a = h.join(1);
    const b = h.join(0);
    h.claim(job, [0]);
    h.want(b, 1);
    h.fail(a, job, 0, 1);
    expect(leasesIn(h.last)).toMatchObject([{ client: b, index: 0, attempt: 2 }]);
    h.fail(b, job, 0, 2);
    const [third] = leasesIn(h.last);
    expect(third).toMatchObject({ attempt: 3 });
    h.fail(third!.client, job, 0, 3);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([
      {
        outcomes: [
          {
            state: "failed",
            index: 0,
            failure: { kind: "error", message: "boom", stack: "at kernel", attempts: 3 },
          },
        ],
      },
    ]);
  });

  test("[END-3] a requeued task never repeats a lease number that a client may remember", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ maxAttempts: 1 });
    const client = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "leasesReleased", client, leases: [{ job, index: 0, attempt: 1 }] });
    h.fail(client, job, 0, 2);
    h.stored(job, [0]);
    h.feed({ type: "tasksAdded", job, again: true, requeued: true });
    h.claim(job, [0]);
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 3 }]);
    h.finish(client, job, 0, 3);
    h.stored(job, [0]);
    h.feed({ type: "jobEnded", job });
    h.addJob({ id: job });
    h.claim(job, [0]);
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 4 }]);
  });

  test("attempts made before a restart count", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ maxAttempts: 3 });
    const client = h.join(1);
    h.claim(job, [0], { attempts: 2 });
    h.fail(client, job, 0, 3);
    expect(ofType(h.last, "storeOutcomes")).toHaveLength(1);
  });

  test("[FAIL-4] a task that took down three distinct clients is quarantined although attempts are left", () => {
    const h = new SchedulerHarness({ quarantineAfter: 3 });
    const job = h.addJob({ everDone: true, maxAttempts: 50 });
    const clients = [h.join(1), h.join(1), h.join(1)];
    h.claim(job, [0]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const holder = clients.find((client) => (h.scheduler.client(client)?.leases.size ?? 0) > 0)!;
      h.fail(holder, job, 0, attempt, "crash");
    }
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([
      { outcomes: [{ failure: { kind: "quarantined", attempts: 3 } }] },
    ]);
    expect(ofType(h.last, "quarantineJob")).toEqual([]);
  });

  test("[FAIL-4] a kernel that takes down three clients and never finished a task stops as a whole", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const clients = [h.join(1), h.join(1), h.join(1)];
    h.claim(job, [0, 1, 2, 3, 4]);
    clients.forEach((client, index) => h.fail(client, job, index, 1, "crash"));
    expect(ofType(h.last, "quarantineJob")).toMatchObject([{ job, reason: { kind: "quarantined" } }]);
  });

  test("a lab that loses its network does not quarantine the kernel", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const clients = [h.join(1), h.join(1), h.join(1), h.join(1)];
    h.claim(job, [0, 1, 2, 3]);
    for (const client of clients) h.feed({ type: "clientVanished", client });
    h.pass(31_000);
    expect(ofType(h.last, "quarantineJob")).toEqual([]);
    expect(ofType(h.last, "storeAttempts")).toHaveLength(4);
  });

  test("a client that failed what is in front is given what is behind, also of other jobs", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const other = h.addJob({ createdAt: 9999 });
    const failing = h.join(1);
    const busy = h.join(1);
    h.claim(job, [...Array(20).keys()]);
    h.claim(other, [0]);
    for (let i = 0; i < 16; i++) {
      const [lease] = [...h.scheduler.client(failing)!.leases];
      h.fail(failing, lease!.task.job.id, lease!.task.index, lease!.attempt);
    }
    // The other client stays busy with one task, so no opinion of it is waited for.
    expect(h.scheduler.client(busy)!.leases.size).toBe(1);
    expect(h.scheduler.client(failing)!.leases.size).toBe(1);
  });
});
