import { describe, expect, test } from "vitest";
import { done, indexesOf, leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

describe("results", () => {
  test("[DUR-2] a result is acknowledged with its storing, not before, and frees credit at once", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1]);
    h.finish(client, job, 0);
    expect(ofType(h.last, "sendAccepted")).toEqual([]);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([{ acknowledge: [{ client, index: 0 }] }]);
    expect(indexesOf(h)).toEqual([1]);
  });

  test("[ONCE-2] a result sent twice is stored as two outcomes of which the store takes one; the drop is counted", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.finish(client, job, 0);
    h.finish(client, job, 0);
    h.stored(job, [0]);
    h.stored(job, [], [0]);
    expect(h.scheduler.counts.droppedResults).toBe(1);
  });

  test("[DUR-2] when the store refuses, the task is open again", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.finish(client, job, 0);
    h.feed({ type: "outcomesRefused", job, indexes: [0] });
    expect(indexesOf(h)).toEqual([0]);
  });

  test("[ONCE-1] a copy of a result that is taken after the first was refused ends the task wherever it is by then", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.finish(client, job, 0);
    h.finish(client, job, 0);
    h.feed({ type: "outcomesRefused", job, indexes: [0] });
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 2 }]);
    h.stored(job, [0]);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client, indexes: [0] }]);
    expect(h.scheduler.client(client)!.leases.size).toBe(0);
  });

  test("a result stored while its claim was under way does not bring the task back", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    expect(h.scheduler.state.jobs.get(job)?.claiming).toBe(true);
    h.finish(client, job, 0);
    h.claim(job, [0, 1]);
    expect(indexesOf(h)).toEqual([1]);
  });

  test("[CLAIM-2] an end that was refused of a task not claimed here gives the claim back that came meanwhile", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.finish(client, job, 7);
    h.claim(job, [7]);
    expect(leasesIn(h.last)).toEqual([]);
    h.feed({ type: "outcomesRefused", job, indexes: [7] });
    expect(h.last).toMatchObject([
      { type: "unclaimTasks", job, indexes: [7] },
      { type: "claimTasks", job },
    ]);
    h.claim(job, [7]);
    expect(indexesOf(h)).toEqual([7]);
  });

  test("results of a job that is gone are acknowledged, so that clients forget them", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "jobEnded", job });
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client, indexes: undefined }]);
    h.finish(client, job, 0);
    expect(ofType(h.last, "sendAccepted")).toMatchObject([{ indexes: [0] }]);
  });

  test("a volunteer's result for a job that asks for trusted clients is not taken", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ requires: { trusted: true } });
    const volunteer = h.join(1, { trusted: false });
    h.claim(job, [0]);
    h.finish(volunteer, job, 0);
    expect(ofType(h.last, "storeOutcomes")).toEqual([]);
  });
});

describe("hostile clients", () => {
  test("a run time that cannot be is not believed", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1, 2]);
    h.now += 50;
    const results = [{ ...done(0), elapsedMs: 1e15 }];
    h.feed({ type: "resultsReceived", client, job, results });
    expect(h.scheduler.state.jobs.get(job)!.meanMs).toBe(50);
  });

  test("a volunteer who was never given a task cannot end it; a trusted client's late result counts", () => {
    const h = new SchedulerHarness({ believeUntil: 0 });
    const job = h.addJob();
    const owner = h.join(1);
    h.claim(job, [0, 1]);
    const forger = h.join(0, { trusted: false });
    h.finish(forger, job, 0, 1);
    h.finish(forger, job, 1, 999);
    h.finish(forger, job, 10 ** 9, 1);
    expect(ofType(h.last, "storeOutcomes")).toEqual([]);
    expect(h.scheduler.state.jobs.get(job)!.everDone).toBe(false);
    expect(h.scheduler.client(owner)!.leases.size).toBe(1);
    h.finish(h.join(0), job, 1, 1);
    expect(ofType(h.last, "storeOutcomes")).toHaveLength(1);
  });

  test("a volunteer who lost its lease and comes back may still deliver", () => {
    const h = new SchedulerHarness({ believeUntil: 0 });
    const job = h.addJob();
    const late = h.join(1, { trusted: false });
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: late });
    h.pass(31_000);
    h.join(0, { id: late, trusted: false });
    h.finish(late, job, 0, 1);
    expect(ofType(h.last, "storeOutcomes")).toHaveLength(1);
  });

  test("a client's list of its leases is believed only after a restart, within bounds, and of jobs it may run", () => {
    const hello = (
      h: SchedulerHarness,
      trusted: boolean,
      count: number,
      job: ReturnType<typeof h.addJob>,
    ) => {
      const client = h.join(0, { trusted });
      const held = Array.from({ length: count }, (_, index) => ({ job, index, attempt: 1 }));
      h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
      return ofType(h.last, "sendDropped").flatMap(({ leases }) => leases).length;
    };
    const calm = new SchedulerHarness({ believeUntil: 0 });
    const known = calm.addJob();
    calm.claim(known, [0, 1, 2]);
    expect(hello(calm, false, 3, known)).toBe(3);
    const restarted = new SchedulerHarness({ believeUntil: 10_000 });
    const job = restarted.addJob();
    const guarded = restarted.addJob({ requires: { trusted: true } });
    restarted.claim(job, [...Array(3000).keys()]);
    expect(hello(restarted, false, 3000, job)).toBe(3000 - 1024);
    expect(hello(restarted, false, 3, guarded)).toBe(3);
    expect(hello(restarted, true, 3, guarded)).toBe(0);
    restarted.now = 10_001;
    restarted.feed({ type: "timePassed" });
    expect(restarted.scheduler.state.jobs.get(guarded)!.adopted.size).toBe(0);
  });
});
