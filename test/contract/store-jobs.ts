import { describe, expect, it } from "vitest";
import type { JobRow, Store } from "../../server/store/store.ts";
import type { JobId } from "../../shared/ids.ts";
import type { JobSort } from "../../shared/wire/rest/job-list.ts";
import {
  blob,
  done,
  failed,
  failure,
  inputOf,
  jobId,
  newJob,
  nothingStated,
  postKernel,
  task,
} from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore } from "./store-harness.ts";

const id = jobId(1);

/** The contract of every Store about jobs. */
export function jobContract(harness: StoreHarness): void {
  describe("jobs", () => {
    let store: Store;
    const { start } = useStore(harness, (opened) => (store = opened));

    it("[ONCE-2] makes a job once for the same customer and key", async () => {
      const first = await store.createJob(newJob({ key: "k" }));
      const again = await store.createJob(newJob({ key: "k", id: jobId(2) }));
      expect(first.created).toBe(true);
      expect(again).toEqual({ created: false, job: first.job });
      const other = await store.createJob(newJob({ key: "k", id: jobId(3), customer: "bob" }));
      expect(other.created).toBe(true);
      expect(await store.listJobs()).toHaveLength(2);
    });

    it("[ONCE-2] makes a job once when both requests share a commit", async () => {
      const [one, two] = await Promise.all([
        store.createJob(newJob({ key: "k" })),
        store.createJob(newJob({ key: "k", id: jobId(2) })),
      ]);
      expect([one.created, two.created]).toEqual([true, false]);
      expect(two.job.id).toBe(one.job.id);
    });

    it("[ONCE-3] refuses the key of another kernel, and an id that is taken", async () => {
      await store.createJob(newJob({ key: "k" }));
      await postKernel(store, "ada", "other");
      await refuses("CONFLICT", store.createJob(newJob({ key: "k", kernel: blob("other"), id: jobId(2) })));
      await refuses("CONFLICT", store.createJob(newJob({ key: "l" })));
    });

    it("keeps every option of a job", async () => {
      const job = newJob({ key: "k" });
      await store.createJob(job);
      expect(await store.getJob(id)).toEqual({
        ...job,
        state: "open",
        paused: false,
        total: 0,
        done: 0,
        failed: 0,
        lastSeq: 0,
        endedAt: undefined,
        submittedAt: 1_000,
        inputBytes: 0,
        outputBytes: 0,
        provisional: 0,
        statement: nothingStated,
        reason: undefined,
        waitingFor: [],
      } satisfies JobRow);
    });

    it("lists newest first, by customer and by activity", async () => {
      await start(0);
      await start(0, { id: jobId(2), customer: "bob" });
      await start(0, { id: jobId(3) });
      await store.endJob(jobId(3), "cancelled");
      const list = async (...args: Parameters<Store["listJobs"]>) =>
        (await store.listJobs(...args)).map((job) => job.id);
      expect(await list()).toEqual([jobId(3), jobId(2), jobId(1)]);
      expect(await list({ customer: "ada" })).toEqual([jobId(3), jobId(1)]);
      expect(await list({ customer: "ada", active: true })).toEqual([jobId(1)]);
      expect(await list({ active: false })).toEqual([jobId(3)]);
      expect(await list({}, 2)).toEqual([jobId(3), jobId(2)]);
      expect(await list({ active: true }, 1)).toEqual([jobId(2)]);
      expect(await list({}, 0)).toEqual([]);
    });

    it("[LIST-1] searches jobs by words, state and failure, in any case", async () => {
      await start(2, { name: "Night run 100%", group: "Beam" });
      await start(0, { id: jobId(2), customer: "bob", name: "night_walk" });
      await start(1, { id: jobId(3), name: "day" });
      await store.complete(id, [failed(0)]);
      await store.endJob(jobId(3), "quarantined", failure(0));
      const list = async (filter: Parameters<Store["listJobs"]>[0]) =>
        (await store.listJobs(filter)).map((job) => job.id);
      expect(await list({ search: "NIGHT" })).toEqual([jobId(2), jobId(1)]);
      expect(await list({ search: " run  night " })).toEqual([jobId(1)]);
      expect(await list({ search: "0%" })).toEqual([jobId(1)]);
      expect(await list({ search: "t_w" })).toEqual([jobId(2)]);
      expect(await list({ search: "beam" })).toEqual([jobId(1)]);
      expect(await list({ search: "BOB" })).toEqual([jobId(2)]);
      expect(await list({ search: jobId(3) })).toEqual([jobId(3)]);
      expect(await list({ search: "no such" })).toEqual([]);
      expect(await list({ search: "night", customer: "bob" })).toEqual([jobId(2)]);
      expect(await list({ failing: true })).toEqual([jobId(3), jobId(1)]);
      expect(await list({ failing: true, active: true })).toEqual([jobId(1)]);
      expect(await list({ states: ["quarantined", "finished"] })).toEqual([jobId(3)]);
      expect(await list({ ids: [jobId(1), jobId(3), jobId(9)] })).toEqual([jobId(3), jobId(1)]);
      expect(await store.jobTotals()).toEqual({ jobs: 3, active: 2, openTasks: 1, provisional: 0 });
    });

    it("[LIST-1] gives jobs page by page, whatever is made or deleted meanwhile", async () => {
      for (let n = 1; n <= 5; n++) await start(0, { id: jobId(n), name: n % 2 ? "odd" : "even" });
      const page = async (cursor?: string, filter = {}) => {
        const { rows, next } = await store.pageOfJobs(filter, 2, cursor);
        return { ids: rows.map((row) => row.id), next };
      };
      const first = await page();
      expect(first.ids).toEqual([jobId(5), jobId(4)]);
      await start(0, { id: jobId(6) });
      await store.deleteJob(jobId(4));
      const second = await page(first.next);
      expect(second.ids).toEqual([jobId(3), jobId(2)]);
      expect(await page(second.next)).toEqual({ ids: [jobId(1)], next: undefined });
      const odd = await page(undefined, { search: "odd" });
      expect(odd.ids).toEqual([jobId(5), jobId(3)]);
      expect(await page(odd.next, { search: "odd" })).toEqual({ ids: [jobId(1)], next: undefined });
    });

    it("[LIST-1] sorts jobs, in pages that deleted jobs do not shift", async () => {
      const made = [
        { name: "beta", customer: "zoe", priority: 1 },
        { name: "Alpha", customer: "ada", priority: 9 },
        { name: "gamma \u{1f600}", customer: "Bob", priority: 1 },
        { name: "alpha", customer: "ada", priority: -3 },
        { name: "Beta", customer: "ada", priority: 0 },
      ];
      for (const customer of ["zoe", "Bob"]) await postKernel(store, customer);
      for (const [n, options] of made.entries()) await start(2, { id: jobId(n + 1), ...options });
      await store.complete(jobId(2), [failed(0)]);
      await store.complete(jobId(3), [failed(0), failed(1)]);
      await store.endJob(jobId(5), "cancelled");
      const walk = async (sort: JobSort, filter = {}, drop?: number) => {
        const found: JobId[] = [];
        let cursor: string | undefined;
        do {
          const { rows, next } = await store.pageOfJobs(filter, 2, cursor, sort);
          found.push(...rows.map((row) => row.id));
          if (cursor === undefined && drop !== undefined) await store.deleteJob(jobId(drop));
          cursor = next;
        } while (cursor !== undefined);
        return found.map((id) => made.findIndex((_, n) => jobId(n + 1) === id) + 1);
      };
      expect(await walk("newest")).toEqual([5, 4, 3, 2, 1]);
      expect(await walk("oldest")).toEqual([1, 2, 3, 4, 5]);
      expect(await walk("name")).toEqual([2, 4, 1, 5, 3]);
      expect(await walk("customer")).toEqual([2, 4, 5, 3, 1]);
      expect(await walk("priority")).toEqual([2, 3, 1, 5, 4]);
      expect(await walk("failed")).toEqual([3, 2, 5, 4, 1]);
      expect((await walk("ended"))[0]).toBe(5);
      expect(await walk("name", { customer: "ada" })).toEqual([2, 4, 5]);
      const { next } = await store.pageOfJobs({}, 2, undefined, "name");
      await refuses("BAD_REQUEST", store.pageOfJobs({}, 2, next, "priority"));
      await refuses("BAD_REQUEST", store.pageOfJobs({}, 2, next));
      await refuses("BAD_REQUEST", store.pageOfJobs({}, 2, "7.AA", "name"));
      expect(await walk("name", {}, 4)).toEqual([2, 4, 1, 5, 3]);
    });

    it("pauses, resumes and reprioritises", async () => {
      await start(0);
      expect((await store.setPaused(id, true)).paused).toBe(true);
      expect((await store.setPriority(id, -7)).priority).toBe(-7);
      expect(await store.getJob(id)).toMatchObject({ paused: true, priority: -7 });
      expect((await store.setPaused(id, false)).paused).toBe(false);
    });

    it("refuses verbs on a job that does not exist", async () => {
      expect(await store.getJob(id)).toBeUndefined();
      await refuses("NOT_FOUND", store.submit(id, [task(0)]));
      await refuses("NOT_FOUND", store.closeJob(id));
      await refuses("NOT_FOUND", store.claim(id, 1));
      await refuses("NOT_FOUND", store.complete(id, [done(0)]));
      await refuses("NOT_FOUND", store.results(id, 0, 1, 1));
      await refuses("NOT_FOUND", store.requeueFailed(id));
      await store.unclaim(id, [0]);
      await store.checkpoint(id, 0, inputOf(0));
      await store.recordAttempts(id, [{ index: 0, attempts: 1 }]);
      await store.deleteJob(id);
    });
  });
}
