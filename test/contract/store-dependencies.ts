import { describe, expect, it } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import type { JobRow, Store } from "../../server/store/store.ts";
import { done, failed, failure, jobId, newJob, task } from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore, inMemory } from "./store-harness.ts";

/** The contract of every Store about groups of jobs, and jobs that come after others. */
export function dependencyContract(harness: StoreHarness): void {
  describe("groups and dependencies", () => {
    let store: Store;
    const { claimIndexes, clock, restart, start } = useStore(harness, (opened) => (store = opened));

    const first = jobId(1);
    const second = jobId(2);
    const third = jobId(3);
    const after = (n: number, ...others: JobId[]) => start(2, { id: jobId(n), after: others });
    const finish = async (job: JobId, outcomes = [done(0), done(1)]) => {
      await store.closeJob(job);
      await store.complete(job, outcomes);
    };
    const told = () => {
      const rows: JobRow[] = [];
      store.onDependents((row) => rows.push(row));
      return () => rows.map((row) => [row.id, row.state, row.waitingFor.length]);
    };

    it("[GROUP-1] lists a group, by customer and by activity", async () => {
      await start(0, { group: "a" });
      await start(0, { id: second, group: "b" });
      await start(0, { id: third, group: "a", customer: "bob" });
      await store.endJob(first, "cancelled");
      const list = async (filter: Parameters<Store["listJobs"]>[0]) =>
        (await store.listJobs(filter)).map((job) => job.id);
      expect(await list({ group: "a" })).toEqual([third, first]);
      expect(await list({ group: "a", customer: "ada" })).toEqual([first]);
      expect(await list({ group: "a", active: true })).toEqual([third]);
      expect(await list({ group: "c" })).toEqual([]);
    });

    it("[AFTER-1] gives out nothing of a job before those it comes after are finished", async () => {
      await start(2);
      await after(2);
      await after(3, first, second, first);
      const heard = told();
      expect((await store.getJob(third))?.waitingFor).toEqual([first, second]);
      expect(await claimIndexes(10, third)).toEqual([]);
      await finish(first);
      expect(await claimIndexes(10, third)).toEqual([]);
      expect(heard()).toEqual([]);
      await finish(second);
      expect(heard()).toEqual([[third, "open", 0]]);
      expect(await claimIndexes(10, third)).toEqual([0, 1]);
    });

    it("[AFTER-1] does not wait for what has finished, and does not finish before what it waits for", async () => {
      await start(2);
      await start(0, { id: second, after: [first] });
      await store.closeJob(second);
      await start(0, { id: third, after: [second] });
      await store.closeJob(third);
      expect((await store.getJob(second))?.state).toBe("closed");
      await finish(first);
      expect((await store.getJob(third))?.state).toBe("finished");
      expect((await after(4, first, third)).waitingFor).toEqual([]);
    });

    it.runIf(harness.durable)(
      `[AFTER-1] remembers across restarts what waits for what${inMemory(harness)}`,
      async () => {
        await start(2);
        await after(2, first);
        await restart();
        expect((await store.getJob(second))?.waitingFor).toEqual([first]);
        expect((await store.listJobs({ active: true }))[0]?.waitingFor).toEqual([first]);
        expect(await claimIndexes(10, second)).toEqual([]);
        await finish(first);
        await restart();
        expect((await store.getJob(second))?.waitingFor).toEqual([]);
        expect(await claimIndexes(10, second)).toEqual([0, 1]);
      },
    );

    const ends: [string, RegExp, () => Promise<unknown>][] = [
      ["finished with a failed task", /1 of 2 tasks failed/, () => finish(first, [done(0), failed(1)])],
      ["was cancelled", /was cancelled/, () => store.endJob(first, "cancelled")],
      ["was quarantined", /quarantined: no 0/, () => store.endJob(first, "quarantined", failure(0))],
      ["was deleted", /deleted/, () => store.deleteJob(first)],
    ];
    it.each(ends)("[AFTER-2] blocks what comes after a job that %s", async (_, reason, end) => {
      await start(2);
      await after(2, first);
      await after(3, second);
      const heard = told();
      clock.now = 77;
      await end();
      for (const id of [second, third])
        expect(await store.getJob(id)).toMatchObject({
          state: "blocked",
          endedAt: 77,
          waitingFor: [],
          reason: { kind: "blocked", message: expect.stringMatching(reason) as string },
        });
      expect(heard()).toEqual([
        [second, "blocked", 0],
        [third, "blocked", 0],
      ]);
      expect(await store.complete(third, [done(0)])).toMatchObject({ dropped: [0] });
      expect(await claimIndexes(10, third)).toEqual([]);
      await refuses("WRONG_STATE", store.submit(third, [task(9)]));
    });

    it("[AFTER-2] blocks from the start what comes after a job that failed; a chain of any length", async () => {
      await start(1);
      await store.endJob(first, "cancelled");
      expect(await store.createJob(newJob({ id: second, after: [first] }))).toMatchObject({
        job: { state: "blocked", reason: { message: expect.stringContaining(first) as string } },
      });
      await start(1, { id: jobId(10) });
      for (let n = 11; n < 2011; n++) await start(0, { id: jobId(n), after: [jobId(n - 1)] });
      await store.endJob(jobId(10), "cancelled");
      expect((await store.getJob(jobId(2010)))?.reason?.message).toContain(jobId(10));
    });

    it("[AFTER-3] refuses a job that comes after one that is not here, and makes nothing", async () => {
      await refuses("NOT_FOUND", store.createJob(newJob({ after: [second] })), new RegExp(second));
      expect(await store.getJob(first)).toBeUndefined();
    });

    it("[AFTER-4] lets a requeued job wait again, open or closed as it was", async () => {
      await start(2);
      await after(2, first);
      await after(3, first);
      await store.closeJob(second);
      await finish(first, [done(0), failed(1)]);
      await refuses("WRONG_STATE", store.requeueFailed(second), /tasks failed/);
      await store.requeueFailed(first);
      expect(await store.requeueFailed(second)).toMatchObject({
        requeued: 2,
        job: { state: "closed", waitingFor: [first], reason: undefined },
      });
      expect((await store.requeueFailed(third)).job).toMatchObject({ state: "open", waitingFor: [first] });
      await store.complete(first, [done(1)]);
      expect(await claimIndexes(10, second)).toEqual([0, 1]);
    });

    it("[AFTER-5] jobs blocked by a failed job go on by themselves once the failed job was requeued and is done, down the whole line", async () => {
      await start(2);
      await after(2, first);
      await after(3, second);
      await store.closeJob(second);
      await finish(first, [done(0), failed(1)]);
      await store.requeueFailed(first);
      expect(await store.getJob(second)).toMatchObject({ state: "blocked", waitingFor: [] });
      if (harness.durable) await restart();
      const heard = told();
      expect(await store.complete(first, [done(1)])).toMatchObject({ job: { state: "finished" } });
      expect(await store.getJob(second)).toMatchObject({
        state: "closed",
        waitingFor: [],
        reason: undefined,
        endedAt: undefined,
      });
      expect(await store.getJob(third)).toMatchObject({ state: "open", waitingFor: [second] });
      expect(heard()).toEqual([
        [second, "closed", 0],
        [third, "open", 1],
      ]);
      expect(await claimIndexes(10, third)).toEqual([]);
      expect(await claimIndexes(10, second)).toEqual([0, 1]);
      await store.complete(second, [done(0), done(1)]);
      if (harness.durable) await restart();
      expect(await claimIndexes(10, third)).toEqual([0, 1]);
    });

    it("[AFTER-5] goes on only when nothing else stands in the way, and names what does", async () => {
      await start(2);
      await after(2);
      await after(3, first, second);
      await start(0, { id: jobId(4), after: [third] });
      await store.closeJob(jobId(4));
      await finish(first, [done(0), failed(1)]);
      await finish(second, [failed(0), failed(1)]);
      await store.requeueFailed(first);
      await store.complete(first, [done(1)]);
      for (const id of [third, jobId(4)])
        expect((await store.getJob(id))?.reason?.message).toMatch(/2 of 2 tasks failed/);
      await store.requeueFailed(second);
      await store.complete(second, [done(0), failed(1)]);
      expect((await store.getJob(third))?.state).toBe("blocked");
      await store.requeueFailed(second);
      await store.complete(second, [done(1)]);
      await store.closeJob(third);
      expect(await claimIndexes(10, third)).toEqual([0, 1]);
      await store.complete(third, [done(0), done(1)]);
      expect((await store.getJob(jobId(4)))?.state).toBe("finished");
    });

    it("[AFTER-5] a job that failed again blocks again; one cancelled or deleted meanwhile stays so", async () => {
      await start(1);
      await after(2, first);
      await after(3, first);
      await after(4, first);
      await after(5, second);
      await finish(first, [failed(0)]);
      expect((await store.endJob(third, "cancelled")).state).toBe("cancelled");
      await store.deleteJob(jobId(4));
      await store.requeueFailed(first);
      await store.complete(first, [failed(0)]);
      expect((await store.getJob(second))?.state).toBe("blocked");
      await store.requeueFailed(first);
      await store.complete(first, [done(0)]);
      expect((await store.getJob(second))?.state).toBe("open");
      expect((await store.getJob(third))?.state).toBe("cancelled");
      expect(await store.getJob(jobId(4))).toBeUndefined();
      await store.deleteJob(second);
      expect((await store.getJob(jobId(5)))?.state).toBe("blocked");
      await refuses("WRONG_STATE", store.requeueFailed(jobId(5)), /deleted/);
    });

    it("[AFTER-5] a job that was blocked from the start goes on, too; what was deleted when it was done is not missed", async () => {
      await start(1);
      await after(2);
      await finish(second);
      await finish(first, [failed(0)]);
      await start(0, { id: third, after: [first, second] }).catch(() => undefined);
      expect((await store.getJob(third))?.state).toBe("blocked");
      await store.deleteJob(second);
      await store.requeueFailed(first);
      await store.complete(first, [done(0)]);
      expect(await store.getJob(third)).toMatchObject({ state: "open", waitingFor: [] });
    });
  });
}
