import { describe, expect, test } from "vitest";
import { indexesOf, leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

describe("leases", () => {
  test("[FLOW-1] a client gets what it asked for and no more, in order of index", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    h.claim(job, [0, 1, 2, 3, 4]);
    h.join(3);
    expect(indexesOf(h)).toEqual([0, 1, 2]);
  });

  test("asks the store for tasks only once somebody could compute them, and again when the window runs low", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    expect(h.last).toEqual([]);
    h.join(1);
    h.feed({ type: "tasksAdded", job });
    // The join asked already; a claim is under way.
    expect(ofType(h.last, "claimTasks")).toEqual([]);
    h.feed({ type: "tasksClaimed", job, tasks: [], limit: 512 });
    expect(h.last).toEqual([]);
    h.feed({ type: "tasksAdded", job });
    expect(ofType(h.last, "claimTasks")).toHaveLength(1);
  });

  test("[LEASE-3] a vanished client keeps its tasks for the grace time, then they return and the attempt counts", () => {
    const h = new SchedulerHarness({ graceMs: 30_000 });
    const job = h.addJob();
    const lost = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: lost });
    h.join(1);
    h.pass(29_000);
    expect(leasesIn(h.last)).toEqual([]);
    h.pass(1500);
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 2 }]);
    expect(ofType(h.last, "storeAttempts")).toMatchObject([{ attempts: [{ index: 0, attempts: 1 }] }]);
  });

  test("[LEASE-3] of a vanished client's leases only as many as it has slots count as attempts", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const lost = h.join(5, { slots: 2 });
    h.claim(job, [0, 1, 2, 3, 4]);
    h.feed({ type: "clientVanished", client: lost });
    h.pass(31_000);
    const counted = ofType(h.last, "storeAttempts").flatMap(({ attempts }) =>
      attempts.map(({ index }) => index),
    );
    expect(counted).toEqual([0, 1]);
  });

  test("[LEASE-7] a run that was counted as lost and then fails after all is one attempt, not two", () => {
    const h = new SchedulerHarness({ graceMs: 30_000 });
    const job = h.addJob({ maxAttempts: 2 });
    const sleeper = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: sleeper });
    h.pass(60_000);
    expect(ofType(h.last, "storeAttempts")).toMatchObject([{ attempts: [{ index: 0, attempts: 1 }] }]);
    const info = {
      kind: "node",
      memoryMb: 1024,
      webgpu: false,
      trusted: true,
      cohort: sleeper,
      slots: 1,
    } as const;
    const held = [{ job, index: 0, attempt: 1 }];
    h.feed({ type: "clientConnected", client: { id: sleeper, ...info }, held, cached: [] });
    h.fail(sleeper, job, 0, 1);
    expect(ofType(h.last, "storeOutcomes")).toEqual([]);
    expect(ofType(h.last, "storeAttempts")).toMatchObject([{ attempts: [{ index: 0, attempts: 1 }] }]);
    h.want(sleeper, 1);
    h.fail(sleeper, job, 0, 2);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([{ outcomes: [{ failure: { attempts: 2 } }] }]);
  });

  test("[LEASE-4] a goodbye returns the tasks at once and counts nothing", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const leaving = h.join(2);
    h.claim(job, [0, 1]);
    const other = h.join(2);
    h.feed({ type: "clientLeft", client: leaving });
    expect(leasesIn(h.last).map(({ client, index }) => [client, index])).toEqual([
      [other, 0],
      [other, 1],
    ]);
    expect(ofType(h.last, "storeAttempts")).toEqual([]);
  });

  test("[LEASE-3] a lease lapses although its client lives, once the kernel's timeout is long over", () => {
    const h = new SchedulerHarness({ speculate: false });
    const job = h.addJob({ timeoutMs: 1000 });
    const stuck = h.join(1);
    h.claim(job, [0]);
    h.pass(60_000);
    expect(h.last).toEqual([]);
    h.pass(2000);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client: stuck, indexes: [0] }]);
    expect(ofType(h.last, "storeAttempts")).toHaveLength(1);
  });

  test("[LEASE-5] a late result of an open task is taken and its other holder is cancelled", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const late = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: late });
    const second = h.join(1);
    h.pass(31_000);
    h.join(0, { id: late });
    h.finish(late, job, 0, 1);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([{ outcomes: [{ state: "done", index: 0 }] }]);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client: second, indexes: [0] }]);
  });

  test("[LEASE-6] after a restart a client's held leases are its own again, before and after the claim", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    h.claim(job, [0]);
    const client = h.join();
    const info = h.scheduler.client(client)!.info;
    const held = [
      { job, index: 0, attempt: 3 },
      { job, index: 7, attempt: 2 },
    ];
    h.feed({ type: "clientConnected", client: info, held, cached: [] });
    expect(ofType(h.last, "sendDropped")).toEqual([]);
    h.join(5);
    expect(leasesIn(h.last)).toEqual([]);
    h.claim(job, [7, 8]);
    expect(indexesOf(h)).toEqual([8]);
  });

  test("[LEASE-6] a held lease of a task that ended, or of a job that is gone, is dropped", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1]);
    h.finish(client, job, 0);
    h.stored(job, [0]);
    const gone = { job: h.addJob(), index: 0, attempt: 1 };
    h.feed({ type: "jobEnded", job: gone.job });
    const held = [{ job, index: 0, attempt: 1 }, { job, index: 1, attempt: 1 }, gone];
    h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
    expect(ofType(h.last, "sendDropped")).toEqual([{ type: "sendDropped", client, leases: [held[0], gone] }]);
  });

  test("[LEASE-6] a held lease that ended before its task was claimed is not given to the client once more", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join();
    const held = [0, 1].map((index) => ({ job, index, attempt: 1 }));
    h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
    h.fail(client, job, 0, 1);
    h.feed({ type: "leasesReleased", client, leases: [held[1]!] });
    h.claim(job, [0, 1]);
    expect(h.scheduler.client(client)!.leases.size).toBe(0);
    h.want(client, 2);
    expect(indexesOf(h)).toEqual([0, 1]);
  });

  test("no task is leased during the hold after a restart", () => {
    const h = new SchedulerHarness({ holdUntil: 5000 });
    const job = h.addJob();
    h.join(1);
    h.claim(job, [0]);
    expect(leasesIn(h.last)).toEqual([]);
    h.pass(4001);
    expect(indexesOf(h)).toEqual([0]);
  });

  test("[LEASE-6] coming back twice before the claim keeps the lease", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join();
    for (let i = 0; i < 2; i++) {
      const held = [{ job, index: 4, attempt: 1 }];
      h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
      expect(ofType(h.last, "sendDropped")).toEqual([]);
      h.feed({ type: "clientVanished", client });
    }
  });

  test("windows of large inputs are small from the start", () => {
    const h = new SchedulerHarness();
    for (let i = 0; i < 4; i++) h.addJob();
    h.join(0);
    const limits = [...h.scheduler.state.jobs.values()].map(({ inputBytes }) => inputBytes);
    expect(limits.every((bytes) => bytes === 256 * 1024)).toBe(true);
    const claims = ofType(h.last, "claimTasks").map(({ limit }) => limit);
    expect(claims).toHaveLength(4);
    expect(Math.max(...claims) * 256 * 1024 * 4).toBeLessThanOrEqual(40 * 1024 * 1024);
  });
});
