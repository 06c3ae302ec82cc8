import { describe, expect, test } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

describe("backup tasks", () => {
  test("[LEASE-1] the last slow task gets a second lease on an idle client; the first result wins and the other is cancelled", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const slow = h.join(1);
    h.claim(job, [0, 1]);
    const fast = h.join(1);
    h.finish(fast, job, 1);
    h.stored(job, [1]);
    h.pass(500);
    expect(leasesIn(h.last)).toEqual([]);
    h.pass(1000);
    expect(leasesIn(h.last)).toMatchObject([{ client: fast, index: 0, attempt: 2 }]);
    h.finish(fast, job, 0, 2);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client: slow, indexes: [0] }]);
  });

  test("[MILES-5] tasks that a silent client holds get them a second's work at a time", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const indexes = Array.from({ length: 501 }, (_, index) => index);
    const silent = h.join(500, { slots: 2 });
    h.claim(job, indexes);
    const idle = h.join(1000, { slots: 2 });
    h.finish(idle, job, 500);
    h.stored(job, [500]);
    expect(h.scheduler.client(silent)!.leases.size).toBe(500);
    h.pass(2000);
    const meanMs = h.scheduler.state.jobs.get(job)!.meanMs!;
    const backups = leasesIn(h.last);
    expect(backups.every(({ client }) => client === idle)).toBe(true);
    expect(backups).toHaveLength(Math.min(500, Math.ceil(2000 / meanMs)));
  });

  test("none while other tasks wait, none when it is turned off, never a third", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const [a, b] = [h.join(1), h.join(1)];
    h.claim(job, [0, 1]);
    h.finish(a, job, 0);
    h.stored(job, [0]);
    h.pass(5000);
    expect(leasesIn(h.last)).toHaveLength(1);
    h.join(1);
    h.pass(5000);
    expect(leasesIn(h.last)).toEqual([]);
    expect(h.scheduler.client(b)!.leases.size).toBe(1);
  });

  test("none of a job that is paused, that has more to claim, or of a task that went wrong before", () => {
    const h = new SchedulerHarness();
    const slow = (change: (job: JobId, client: ClientId) => void): void => {
      const job = h.addJob();
      const [client, idle] = [h.join(1), h.join(1)];
      h.claim(job, [0, 1]);
      h.finish(idle, job, 1);
      h.stored(job, [1]);
      change(job, client);
      h.pass(10_000);
      expect(leasesIn(h.last)).toEqual([]);
      h.feed({ type: "jobEnded", job });
      for (const gone of [client, idle]) h.feed({ type: "clientLeft", client: gone });
    };
    slow((job) => h.feed({ type: "jobChanged", job, paused: true }));
    slow((job) => h.feed({ type: "tasksAdded", job }));
    slow((job, client) => {
      h.fail(client, job, 0, 1);
      expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 2 }]);
    });
  });
});
