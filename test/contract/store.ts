import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { Statement } from "../../shared/wire/rest.ts";
import type { BlobOwner, ClaimedTask, JobRow, ResultRow, Store } from "../../server/store/store.ts";
import { noQuotas, type Quotas, type Usage } from "../../server/store/quotas.ts";
import {
  blob,
  done,
  failed,
  failure,
  inputOf,
  jobId,
  newJob,
  outputOf,
  postKernel,
  sha256,
  task,
  tasks,
} from "./store-fixtures.ts";
import { refuses, type StoreHarness } from "./store-harness.ts";
import { runRandomOperations } from "./store-model.ts";

const all = 1_000_000;
const ada = { customer: "ada" };
const nothingStated: Statement = {
  strangers: 0,
  audited: 0,
  unverified: 0,
  checked: 0,
  wrong: 0,
  withdrawn: 0,
  irreproducible: false,
};
const nothing: Usage = {
  inputBytes: 0,
  outputBytes: 0,
  blobBytes: 0,
  kernelBytes: 0,
  jobs: 0,
  kernels: 0,
  openTasks: 0,
};

/** The contract of every Store. Test names carry the rule ids of SPEC.md. */
export function storeContract(name: string, harness: StoreHarness): void {
  describe(`${name}: the store contract`, () => {
    let store: Store;
    let reopen: (() => Promise<Store>) | undefined;
    let now = 10_000;
    const id = jobId(1);

    beforeEach(async () => {
      now = 10_000;
      await open();
      for (const customer of ["ada", "bob"]) await postKernel(store, customer);
    });
    afterEach(() => store.close());

    const open = async (quotas?: Quotas) => {
      const made = await harness.open({ clock: () => now, ...(quotas && { quotas }) });
      ({ store, reopen } = made);
    };
    const restart = async () => (store = await reopen!());
    const start = async (count: number, changes = {}) => {
      const { job } = await store.createJob(newJob(changes));
      if (count > 0) await store.submit(job.id, tasks(0, count));
      return job;
    };
    const claimIndexes = async (limit: number, job = id) => indexesOf(await store.claim(job, limit));
    const readAll = (job = id) => store.results(job, 0, all, Infinity);

    describe("jobs", () => {
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
        expect(await store.jobTotals()).toEqual({ jobs: 3, active: 2, openTasks: 1 });
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

    describe("groups and dependencies", () => {
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

      it.runIf(harness.durable)("[AFTER-1] remembers across restarts what waits for what", async () => {
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
      });

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
        now = 77;
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

      it("[AFTER-5] what a failed job blocked goes on by itself once that was requeued and is done, down the whole line", async () => {
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

    describe("submitting", () => {
      it("[ONCE-2] counts a repeated task once", async () => {
        await start(0);
        expect(await store.submit(id, tasks(0, 10))).toEqual({ added: 10, repeated: 0, total: 10 });
        expect(await store.submit(id, tasks(5, 15))).toEqual({ added: 5, repeated: 5, total: 15 });
        expect(await store.submit(id, [task(20), task(20)])).toEqual({ added: 1, repeated: 1, total: 16 });
        expect(await claimIndexes(all)).toEqual([...range(0, 15), 20]);
      });

      it("[KEY-3] remembers when a job last took a task, repeats too", async () => {
        const submittedAt = async () => (await store.getJob(id))?.submittedAt;
        await start(0);
        now = 2_000_000;
        await store.submit(id, [task(0)]);
        expect(await submittedAt()).toBe(2_000_000);
        now = 90_000_000;
        await store.submit(id, [task(0)]);
        if (harness.durable) await restart();
        expect(await submittedAt()).toBe(90_000_000);
        await store.endJob(id, "quarantined", failure(0));
        now = 95_000_000;
        await store.requeueFailed(id);
        expect(await submittedAt()).toBe(95_000_000);
      });

      it("[ONCE-2] counts tasks once when a repeat shares the commit of the first", async () => {
        await start(0);
        const both = await Promise.all([store.submit(id, tasks(0, 10)), store.submit(id, tasks(0, 10))]);
        expect(both.map(({ added }) => added)).toEqual([10, 0]);
        expect((await store.getJob(id))?.total).toBe(10);
      });

      it("[ONCE-3] adds nothing when one input differs, and names the task", async () => {
        await start(3);
        const wrong = [task(4), task(1, { input: inputOf(99) }), task(5)];
        await refuses("CONFLICT", store.submit(id, wrong), /Task 1 /);
        await refuses("CONFLICT", store.submit(id, [task(7), task(7, { input: inputOf(99) })]), /Task 7 /);
        await refuses("CONFLICT", store.submit(id, [task(2, { input: blob("x") })]), /Task 2 /);
        expect((await store.getJob(id))?.total).toBe(3);
        expect(await claimIndexes(all)).toEqual([0, 1, 2]);
      });

      it("[DUR-3] a refused verb harms none of those that share its commit", async () => {
        await start(1);
        const verbs = await Promise.allSettled([
          store.submit(id, [task(1)]),
          store.submit(id, [task(0, { input: inputOf(9) })]),
          store.complete(jobId(9), [done(0)]),
          store.submit(id, [task(2)]),
          store.complete(id, [done(1)]),
        ]);
        expect(verbs.map(({ status }) => status)).toEqual([
          "fulfilled",
          "rejected",
          "rejected",
          "fulfilled",
          "fulfilled",
        ]);
        expect(await store.getJob(id)).toMatchObject({ total: 3, done: 1 });
      });

      it("[ONCE-2] takes repeats, and nothing new, once the job is closed", async () => {
        await start(3);
        await store.closeJob(id);
        expect(await store.submit(id, tasks(0, 3))).toEqual({ added: 0, repeated: 3, total: 3 });
        await refuses("WRONG_STATE", store.submit(id, tasks(2, 4)), /closed/);
        expect((await store.getJob(id))?.total).toBe(3);
      });

      it("keeps sparse and high indexes, references and inputs that are blobs", async () => {
        await start(0);
        for (const text of ["one", "two", "input"]) await store.touchBlob(blob(text), ada);
        const sparse = [
          task(2 ** 40, { refs: [blob("one"), blob("two")] }),
          task(7, { input: blob("input"), refs: [blob("input")] }),
          task(0, { input: new Uint8Array() }),
        ];
        await store.submit(id, sparse);
        const claimed = await store.claim(id, all);
        const expected = sparse.toReversed().map((one) => ({ ...one, attempts: 0, checkpoint: undefined }));
        expect(claimed).toEqual(expected);
      });

      it("[DATA-3] refuses an input whose blob is not recorded", async () => {
        await start(0);
        await refuses("UNKNOWN_BLOB", store.submit(id, [task(0), task(1, { refs: [blob("x")] })]));
        await refuses("UNKNOWN_BLOB", store.submit(id, [task(0, { input: blob("x") })]));
        expect((await store.getJob(id))?.total).toBe(0);
      });

      it("[VALUE-3] refuses an input that refers to a blob as of another size", async () => {
        await start(0);
        await store.touchBlob(blob("x"), { customer: "ada" });
        const other = { ...blob("x"), size: blob("x").size + 1 };
        await refuses("BAD_REQUEST", store.submit(id, [task(0), task(1, { refs: [blob("x"), other] })]));
        await refuses("BAD_REQUEST", store.submit(id, [task(0, { input: other })]));
        expect((await store.getJob(id))?.total).toBe(0);
      });
    });

    describe("claiming", () => {
      it("[CLAIM-1] gives the lowest open tasks, each once", async () => {
        await start(10);
        expect(await claimIndexes(3)).toEqual([0, 1, 2]);
        const both = await Promise.all([claimIndexes(4), claimIndexes(4)]);
        expect(both.flat()).toEqual(range(3, 10));
        expect(await claimIndexes(5)).toEqual([]);
        expect(await claimIndexes(0)).toEqual([]);
      });

      it("[CLAIM-1] gives tasks that were submitted below those already claimed", async () => {
        await start(0);
        await store.submit(id, tasks(10, 12));
        expect(await claimIndexes(5)).toEqual([10, 11]);
        await store.submit(id, tasks(0, 2));
        await store.submit(id, [task(20), task(5)]);
        expect(await claimIndexes(3)).toEqual([0, 1, 5]);
        expect(await claimIndexes(3)).toEqual([20]);
      });

      it("[CLAIM-2] gives unclaimed tasks again, lowest first", async () => {
        await start(10);
        await claimIndexes(6);
        await store.unclaim(id, [4, 1, 3, 1, 8]);
        expect(await claimIndexes(2)).toEqual([1, 3]);
        expect(await claimIndexes(all)).toEqual([4, 6, 7, 8, 9]);
        await store.complete(id, [done(4)]);
        await store.unclaim(id, [4]);
        expect(await claimIndexes(all)).toEqual([]);
      });

      it("[CLAIM-2] skips a returned task that ended meanwhile", async () => {
        await start(3);
        await claimIndexes(3);
        await store.unclaim(id, [0, 1]);
        await store.complete(id, [done(0)]);
        expect(await claimIndexes(all)).toEqual([1]);
      });

      it.runIf(harness.durable)("[CLAIM-2] gives the tasks of a server that died again", async () => {
        await start(10);
        await claimIndexes(6);
        await store.complete(id, [done(0), done(4)]);
        await restart();
        expect(await claimIndexes(all)).toEqual([1, 2, 3, 5, 6, 7, 8, 9]);
      });

      it.runIf(harness.durable)(
        "[CLAIM-2] finds a low task again that was submitted in the commit of higher outcomes",
        async () => {
          await start(0);
          await store.submit(id, tasks(10, 12));
          await claimIndexes(all);
          await Promise.all([store.submit(id, [task(0)]), store.complete(id, [done(10), done(11)])]);
          await restart();
          expect(await claimIndexes(all)).toEqual([0]);
        },
      );

      it("gives nothing of a job that has ended", async () => {
        await start(3);
        await store.endJob(id, "cancelled");
        expect(await claimIndexes(all)).toEqual([]);
      });

      it("[FAIL-3] gives attempts and the newest checkpoint along, until the task ends", async () => {
        await start(3);
        await claimIndexes(all);
        await store.recordAttempts(id, [
          { index: 0, attempts: 1 },
          { index: 1, attempts: 2 },
          { index: 99, attempts: 2 },
        ]);
        await store.recordAttempts(id, [{ index: 1, attempts: 3 }]);
        await store.checkpoint(id, 1, inputOf(50));
        await store.checkpoint(id, 1, inputOf(51));
        await store.checkpoint(id, 99, inputOf(51));
        if (harness.durable) await restart();
        else await store.unclaim(id, [0, 1, 2]);
        const claimed = await store.claim(id, all);
        expect(claimed.map(({ attempts }) => attempts)).toEqual([1, 3, 0]);
        expect(claimed.map(({ checkpoint }) => checkpoint)).toEqual([undefined, inputOf(51), undefined]);
        await store.complete(id, [failed(1)]);
        await store.checkpoint(id, 1, inputOf(52));
        await store.recordAttempts(id, [{ index: 1, attempts: 4 }]);
        await store.requeueFailed(id);
        expect(await store.claim(id, all)).toEqual([{ ...task(1), attempts: 0, checkpoint: undefined }]);
      });
    });

    describe("completing", () => {
      it("[ONCE-1] accepts one outcome a task, ever", async () => {
        await start(3);
        await claimIndexes(all);
        const first = await store.complete(id, [done(0), failed(1), done(0)]);
        expect(first).toMatchObject({
          accepted: [0, 1],
          dropped: [0],
          job: { done: 1, failed: 1, lastSeq: 2 },
        });
        const again = await store.complete(id, [failed(0), done(1), done(2)]);
        expect(again).toMatchObject({
          accepted: [2],
          dropped: [0, 1],
          job: { done: 2, failed: 1, lastSeq: 3 },
        });
        expect(await readAll()).toEqual([
          { ...done(0), seq: 1 },
          { ...failed(1), seq: 2 },
          { ...done(2), seq: 3 },
        ]);
      });

      it("[ONCE-1] accepts one of two outcomes that share a commit", async () => {
        await start(1);
        const both = await Promise.all([store.complete(id, [done(0)]), store.complete(id, [failed(0)])]);
        expect(both.map(({ accepted }) => accepted)).toEqual([[0], []]);
        expect(await store.getJob(id)).toMatchObject({ done: 1, failed: 0 });
      });

      it("[LEASE-5] takes the late result of a task nobody claims, and drops one for no task", async () => {
        await start(3);
        expect(await store.complete(id, [done(1), done(77)])).toMatchObject({ accepted: [1], dropped: [77] });
        expect(await claimIndexes(all)).toEqual([0, 2]);
      });

      it("[END-1] finishes a job exactly when it is closed and every task has ended", async () => {
        await start(2);
        expect((await store.complete(id, [done(0), failed(1)])).job.state).toBe("open");
        now = 20_000;
        expect(await store.closeJob(id)).toMatchObject({ state: "finished", endedAt: 20_000 });
        now = 30_000;
        expect(await store.closeJob(id)).toMatchObject({ state: "finished", endedAt: 20_000 });

        const other = jobId(2);
        await start(2, { id: other });
        expect((await store.closeJob(other)).state).toBe("closed");
        expect((await store.complete(other, [done(0)])).job.state).toBe("closed");
        expect((await store.complete(other, [done(1)])).job).toMatchObject({
          state: "finished",
          endedAt: now,
        });
      });

      it("[END-1] a job closed without tasks is finished", async () => {
        await start(0);
        expect((await store.closeJob(id)).state).toBe("finished");
      });

      it("[END-2] a cancelled job takes no more outcomes and stays cancelled", async () => {
        await start(3);
        await store.complete(id, [done(0)]);
        expect(await store.endJob(id, "cancelled")).toMatchObject({ state: "cancelled", endedAt: now });
        expect(await store.complete(id, [done(1)])).toMatchObject({ accepted: [], dropped: [1] });
        expect((await store.endJob(id, "quarantined", failure(0))).state).toBe("cancelled");
        expect((await store.closeJob(id)).state).toBe("cancelled");
        await refuses("WRONG_STATE", store.requeueFailed(id));
        await refuses("WRONG_STATE", store.submit(id, [task(9)]));
        expect(await readAll()).toHaveLength(1);
      });

      it("[END-2] a quarantined job keeps its reason, and requeueing opens it again", async () => {
        await start(4);
        await store.closeJob(id);
        await claimIndexes(all);
        await store.complete(id, [done(0), failed(1)]);
        await store.recordAttempts(id, [{ index: 2, attempts: 3 }]);
        const reason = { ...failure(2), kind: "quarantined" as const };
        expect(await store.endJob(id, "quarantined", reason)).toMatchObject({ state: "quarantined", reason });
        expect(await store.complete(id, [done(2)])).toMatchObject({ dropped: [2] });
        const { requeued, job } = await store.requeueFailed(id);
        expect(requeued).toBe(3);
        expect(job).toMatchObject({ state: "closed", reason: undefined, endedAt: undefined, failed: 0 });
        const claimed = await store.claim(id, all);
        expect(claimed.map(({ index, attempts }) => [index, attempts])).toEqual([
          [1, 0],
          [2, 0],
          [3, 0],
        ]);
      });
    });

    describe("requeueing failures", () => {
      it("[END-3] a quarantined job that lacked inputs takes them again, and does not finish without", async () => {
        await start(1);
        await store.endJob(id, "quarantined", failure(0));
        await refuses("WRONG_STATE", store.submit(id, [task(1)]));
        expect((await store.requeueFailed(id)).job.state).toBe("open");
        await store.complete(id, [done(0)]);
        await store.submit(id, [task(1)]);
        await store.complete(id, [done(1)]);
        expect((await store.closeJob(id)).state).toBe("finished");
      });

      it("[END-3] opens failed tasks again, with new sequence numbers", async () => {
        await start(4);
        await claimIndexes(all);
        await store.closeJob(id);
        await store.complete(id, [failed(0), done(1), failed(2), done(3)]);
        expect(await store.failures(id, 1)).toEqual([failure(0)]);
        expect(await store.failures(id, 9)).toEqual([failure(0), failure(2)]);
        const { requeued, job } = await store.requeueFailed(id);
        expect(requeued).toBe(2);
        expect(job).toMatchObject({ state: "closed", done: 2, failed: 0, lastSeq: 4, endedAt: undefined });
        expect(await store.failures(id, 9)).toEqual([]);
        expect(await claimIndexes(all)).toEqual([0, 2]);
        const ended = await store.complete(id, [done(2), done(0)]);
        expect(ended.job).toMatchObject({ state: "finished", done: 4 });
        expect((await readAll()).map(({ seq, index }) => [seq, index])).toEqual([
          [2, 1],
          [4, 3],
          [5, 2],
          [6, 0],
        ]);
      });

      it("[END-3] does nothing to a job without failures", async () => {
        await start(1);
        await store.complete(id, [done(0)]);
        await store.closeJob(id);
        expect(await store.requeueFailed(id)).toMatchObject({ requeued: 0, job: { state: "finished" } });
      });

      it("[END-3] requeues more failures than fit one transaction, while the job works on", async () => {
        await start(0);
        await store.submit(id, tasks(0, 5000));
        await claimIndexes(all);
        await store.complete(id, range(0, 4990).map(failed));
        expect(await store.requeueFailed(id)).toMatchObject({ requeued: 4990, job: { failed: 0 } });
        expect(await claimIndexes(all)).toEqual(range(0, 4990));
        await store.complete(id, range(0, 5000).map(done));
        expect(await store.closeJob(id)).toMatchObject({ state: "finished", done: 5000, failed: 0 });
      });
    });

    describe("results", () => {
      it("[ONCE-4] come in order of completion, page by page, from any sequence number", async () => {
        await start(20);
        const order = [3, 1, 2, 0, 19, 18, ...range(4, 18)];
        for (const index of order) await store.complete(id, [index % 5 === 0 ? failed(index) : done(index)]);
        const whole = await readAll();
        expect(whole.map(({ index }) => index)).toEqual(order);
        expect(whole.map(({ seq }) => seq)).toEqual(range(1, 21));
        for (const after of [0, 1, 7, 19])
          expect(await pages(store, id, after, 3)).toEqual(whole.slice(after));
        expect(await store.results(id, 20, 10, all)).toEqual([]);
        expect(await store.results(id, 99, 10, all)).toEqual([]);
      });

      it("[ONCE-4] a page holds about maxBytes, and at least one item", async () => {
        await start(10);
        const output = new Uint8Array(10_000);
        await store.complete(
          id,
          range(0, 10).map((index) => ({ state: "done", index, output, refs: [] })),
        );
        expect(await store.results(id, 0, all, 1)).toHaveLength(1);
        expect(await store.results(id, 0, all, 35_000)).toHaveLength(3);
        expect(await store.results(id, 8, all, 35_000)).toHaveLength(2);
      });

      it("keep outputs that are blobs, empty, or refer to blobs", async () => {
        await start(3);
        const outcomes = [
          { state: "done", index: 0, output: blob("large"), refs: [blob("large")] },
          { state: "done", index: 1, output: new Uint8Array(), refs: [] },
          { state: "done", index: 2, output: inputOf(2), refs: [blob("a"), blob("b")] },
        ] as const;
        await store.complete(id, outcomes);
        expect(await readAll()).toEqual(outcomes.map((outcome, k) => ({ ...outcome, seq: k + 1 })));
      });
    });

    describe("deleting", () => {
      it("forgets everything of a job and nothing of another", async () => {
        await store.touchBlob(blob("mine"), ada);
        await store.touchBlob(blob("shared"), ada);
        await start(0, { key: "k" });
        await start(0, { id: jobId(2) });
        await store.submit(id, [...tasks(0, 500), task(500, { refs: [blob("mine"), blob("shared")] })]);
        await store.submit(jobId(2), [task(0, { refs: [blob("shared")] })]);
        await claimIndexes(100);
        await store.recordAttempts(id, [{ index: 1, attempts: 2 }]);
        await store.checkpoint(id, 1, inputOf(1));
        await store.complete(id, range(2, 90).map(done));
        await store.deleteJob(id);
        expect(await store.getJob(id)).toBeUndefined();
        await refuses("NOT_FOUND", store.complete(id, [done(1)]));
        expect(await store.unreferencedBlobs(now + 1, 10)).toEqual([blob("mine")]);
        expect(await claimIndexes(9, jobId(2))).toEqual([0]);
        expect((await store.createJob(newJob({ key: "k" }))).created).toBe(true);
        expect(await claimIndexes(all)).toEqual([]);
        expect(await readAll()).toEqual([]);
      });
    });

    describe("blobs", () => {
      it("[DATA-3] lists as unreferenced what no job needs and nobody touched", async () => {
        for (const text of ["input", "ref", "output", "outref", "loose", "fresh"]) {
          now += 1000;
          await store.touchBlob(blob(text), ada);
        }
        await start(0);
        await store.submit(id, [task(0, { input: blob("input"), refs: [blob("ref")] })]);
        await store.complete(id, [
          { state: "done", index: 0, output: blob("output"), refs: [blob("outref")] },
        ]);
        expect(await store.unreferencedBlobs(now, 10)).toEqual([blob("loose")]);
        expect(await store.unreferencedBlobs(now + 1, 10)).toEqual([blob("loose"), blob("fresh")]);
        expect(await store.unreferencedBlobs(now + 1, 1)).toEqual([blob("loose")]);
        expect(await store.forgetBlob(blob("input").sha256)).toBe(false);
        expect(await store.forgetBlob(blob("output").sha256)).toBe(false);
        await store.deleteJob(id);
        expect(await store.unreferencedBlobs(now + 1, 10)).toHaveLength(6);
      });

      it("[DATA-3] forgets a blob only when it was not touched since", async () => {
        await store.touchBlob(blob("a"), ada);
        now = 20_000;
        await store.touchBlob(blob("a"), ada);
        expect(await store.forgetBlob(blob("a").sha256, 20_000)).toBe(false);
        expect(await store.forgetBlob(blob("a").sha256, 20_001)).toBe(true);
        expect(await store.forgetBlob(blob("a").sha256)).toBe(false);
        expect(await store.getBlob(blob("a").sha256)).toBeUndefined();
      });

      it("[DATA-3] a submission and a collection that share a commit agree", async () => {
        await store.touchBlob(blob("a"), ada);
        await start(0);
        const [forgotten, submitted] = await Promise.allSettled([
          store.forgetBlob(blob("a").sha256),
          store.submit(id, [task(0, { refs: [blob("a")] })]),
        ]);
        expect(forgotten).toMatchObject({ value: true });
        expect(submitted).toMatchObject({ reason: { code: "UNKNOWN_BLOB" } });
      });

      it("counts what is recorded", async () => {
        expect(await store.blobUsage()).toEqual({ count: 0, bytes: 0 });
        await store.touchBlob(blob("four"));
        await store.touchBlob(blob("seven77"));
        await store.touchBlob(blob("four"));
        expect(await store.blobUsage()).toEqual({ count: 2, bytes: 11 });
        await store.forgetBlob(blob("four").sha256);
        expect(await store.blobUsage()).toEqual({ count: 1, bytes: 7 });
        expect(await store.getBlob(blob("seven77").sha256)).toEqual(blob("seven77"));
      });
    });

    describe("what customers have", () => {
      const bob = { customer: "bob" };
      const client = { client: "c_x" as ClientId };
      const has = async (text: string, owner?: BlobOwner) =>
        (await store.getBlob(sha256(text), owner)) !== undefined;

      it("[READ-1] a blob is its owners'; a job's references give it to the job's customer", async () => {
        await store.touchBlob(blob("put"), ada);
        await store.touchBlob(blob("made"), client);
        expect([
          await has("put", ada),
          await has("put", bob),
          await has("put", client),
          await has("put"),
        ]).toEqual([true, false, false, true]);
        await start(0, { customer: "bob" });
        await refuses("UNKNOWN_BLOB", store.submit(id, [task(0, { refs: [blob("put")] })]));
        await refuses("UNKNOWN_BLOB", store.submit(id, [task(0, { refs: [blob("none")] })]));
        await store.submit(id, [task(0)]);
        await store.complete(id, [{ state: "done", index: 0, output: blob("made"), refs: [] }]);
        expect([await has("made", bob), await has("made", ada)]).toEqual([true, false]);
        expect(await store.jobHasBlob(id, sha256("made"))).toBe(true);
        expect(await store.jobHasBlob(id, sha256("put"))).toBe(false);
        await store.deleteJob(id);
        expect([await has("made", bob), await has("made")]).toEqual([false, true]);
        await store.touchBlob(blob("put"), bob);
        expect([await has("put", ada), await has("put", bob)]).toEqual([true, true]);
        await store.forgetBlob(sha256("put"));
        expect([await has("put", ada), await has("put", bob)]).toEqual([false, false]);
      });

      it("[READ-1] a kernel is its owners', for lists, reading and jobs", async () => {
        await postKernel(store, "ada", "mine");
        expect((await store.listKernels("bob")).map(({ sha256: name }) => name)).not.toContain(
          sha256("mine"),
        );
        expect((await store.listKernels()).map(({ sha256: name }) => name)).toContain(sha256("mine"));
        expect(await store.getKernel(sha256("mine"), "bob")).toBeUndefined();
        expect(await store.getKernel(sha256("mine"), "ada")).toBeDefined();
        const stolen = newJob({ customer: "bob", kernel: blob("mine") });
        await refuses("UNKNOWN_KERNEL", store.createJob(stolen));
        expect(await store.getJob(id)).toBeUndefined();
        await postKernel(store, "bob", "mine");
        expect((await store.createJob(stolen)).created).toBe(true);
      });

      it("[DATA-3] a kernel goes with its last owner, never from under a job", async () => {
        for (const customer of ["ada", "bob"]) await postKernel(store, customer, "mine");
        await start(0, { kernel: blob("mine") });
        await refuses("WRONG_STATE", store.deleteKernel(sha256("mine"), "ada"));
        await refuses("WRONG_STATE", store.deleteKernel(sha256("mine")));
        expect(await store.deleteKernel(sha256("mine"), "bob")).toBe(true);
        expect(await store.deleteKernel(sha256("mine"), "bob")).toBe(false);
        expect(await store.getKernel(sha256("mine"), "bob")).toBeUndefined();
        expect(await store.getKernel(sha256("mine"), "ada")).toBeDefined();
        await store.deleteJob(id);
        expect(await store.deleteKernel(sha256("mine"), "ada")).toBe(true);
        expect(await store.getKernel(sha256("mine"))).toBeUndefined();
        expect(await store.deleteKernel(sha256("mine"))).toBe(false);
      });

      it("[DATA-3] collects kernels that no job refers to, from the end of their use on", async () => {
        now = 20_000;
        for (const text of ["used", "loose"]) await postKernel(store, "ada", text);
        await start(0, { kernel: blob("used") });
        const left = async () => (await store.listKernels("ada")).map(({ sha256: name }) => name);
        expect(await store.collectKernels(20_000)).toBe(1);
        expect(await left()).toEqual([sha256("used"), sha256("loose")]);
        expect(await store.collectKernels(20_001)).toBe(1);
        expect(await left()).toEqual([sha256("used")]);
        now = 30_000;
        await store.deleteJob(id);
        expect(await store.collectKernels(30_000)).toBe(0);
        expect(await store.collectKernels(30_001)).toBe(1);
        expect(await left()).toEqual([]);
        expect(await store.usage("ada")).toEqual(nothing);
      });

      it("[DATA-3] a customer gives up its own blob, never from under a job", async () => {
        for (const owner of [ada, bob]) await store.touchBlob(blob("both"), owner);
        await start(0);
        await store.submit(id, [task(0, { refs: [blob("both")] })]);
        await refuses("WRONG_STATE", store.disownBlob(sha256("both"), ada));
        expect(await store.disownBlob(sha256("both"), bob)).toBe(true);
        expect(await store.disownBlob(sha256("both"), bob)).toBe(false);
        await store.deleteJob(id);
        expect(await has("both", ada)).toBe(true);
        expect(await store.forgetBlob(sha256("both"), "unowned")).toBe(false);
        expect(await store.disownBlob(sha256("both"))).toBe(true);
        expect(await store.forgetBlob(sha256("both"), "unowned")).toBe(true);
        expect(await has("both", ada)).toBe(false);
        expect((await store.usage("bob")).blobBytes).toBe(0);
      });
    });

    describe("quotas", () => {
      const usage = async (customer = "ada") => {
        const { kernels: _kernels, kernelBytes: _kernelBytes, ...rest } = await store.usage(customer);
        return rest;
      };
      const size = (values: Uint8Array[]) => values.reduce((sum, { length }) => sum + length, 0);
      const failureBytes = (index: number) => JSON.stringify(failure(index)).length;

      it("[QUOTA-1] counts exactly what a customer keeps, through every verb and a restart", async () => {
        const none = { inputBytes: 0, outputBytes: 0, blobBytes: 0, jobs: 0, openTasks: 0 };
        const check = async (expected: Partial<Usage>) => {
          expect(await usage()).toEqual({ ...none, ...expected });
          if (reopen) await restart();
          expect(await usage()).toEqual({ ...none, ...expected });
        };
        await store.touchBlob(blob("blob"), ada);
        await store.touchBlob(blob("blob"), ada);
        await store.touchBlob(blob("output"), { client: "c_x" as ClientId });
        await check({ blobBytes: 4 });
        await start(3);
        await store.submit(id, [
          task(1),
          task(7, { refs: [blob("blob")] }),
          task(8, { input: blob("blob") }),
        ]);
        const inputBytes = size([0, 1, 2, 7].map(inputOf));
        await check({ blobBytes: 4, jobs: 1, inputBytes, openTasks: 5 });
        const output = { state: "done", index: 1, output: blob("output"), refs: [blob("blob")] } as const;
        await store.complete(id, [done(0), output, failed(2)]);
        await store.complete(id, [done(0)]);
        let outputBytes = outputOf(0).length + failureBytes(2);
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes, openTasks: 2 });
        await store.requeueFailed(id);
        outputBytes -= failureBytes(2);
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes, openTasks: 3 });
        await store.endJob(id, "quarantined");
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes });
        await store.requeueFailed(id);
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes, openTasks: 3 });
        await store.endJob(id, "cancelled");
        await store.deleteJob(id);
        await check({ blobBytes: 4 });
        await store.forgetBlob(sha256("blob"));
        await check({});
        expect((await store.usages()).map(([customer]) => customer).sort()).toEqual(["ada", "bob"]);
      });

      it("[QUOTA-2] refuses what would exceed a bound, changes nothing, and takes repeats", async () => {
        await store.close();
        await open({ bytes: 170, jobs: 2, kernels: 1, openTasks: 3 });
        await postKernel(store);
        await postKernel(store);
        await refuses("QUOTA_EXCEEDED", postKernel(store, "ada", "another"));
        await start(3, { key: "k" });
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(3)]));
        expect(await store.submit(id, tasks(0, 3))).toMatchObject({ added: 0, repeated: 3 });
        await store.complete(id, [done(0)]);
        expect(await store.submit(id, [task(3)])).toMatchObject({ added: 1, total: 4 });
        await store.complete(id, [done(1)]);
        const large = task(4, { input: new Uint8Array(100) });
        await refuses("QUOTA_EXCEEDED", store.submit(id, [large]));
        await refuses("QUOTA_EXCEEDED", store.touchBlob({ sha256: sha256("large"), size: 100 }, ada));
        expect(await store.blobUsage()).toEqual({ count: 0, bytes: 0 });
        await refuses("QUOTA_EXCEEDED", store.checkRoom("ada", 100));
        await store.checkRoom("bob", 100);
        await start(0, { id: jobId(2) });
        await refuses("QUOTA_EXCEEDED", store.createJob(newJob({ id: jobId(3) })));
        expect((await store.createJob(newJob({ id: jobId(3), key: "k" }))).created).toBe(false);
        await expect(store.createJob(newJob({ id: jobId(3) }))).rejects.toMatchObject({
          message: 'Customer "ada" keeps 2 jobs and asks for 1 more; at most 2 are allowed.',
          remedy: expect.stringContaining("manyhands delete"),
        });
        await store.deleteJob(id);
        await start(0, { id: jobId(3) });
      });

      it("[QUOTA-3] takes outputs beyond the bound, and tells that a customer is full and has room again", async () => {
        await store.close();
        await open({ ...noQuotas, bytes: 100 });
        const told: [string, boolean][] = [];
        store.onQuota((customer, full) => told.push([customer, full]));
        await postKernel(store);
        await start(1);
        expect(told).toEqual([]);
        const output = { state: "done", index: 0, output: new Uint8Array(200), refs: [] } as const;
        expect((await store.complete(id, [output])).accepted).toEqual([0]);
        await expect.poll(() => told).toEqual([["ada", true]]);
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(1)]));
        const late: string[] = [];
        store.onQuota((customer) => late.push(customer));
        await expect.poll(() => late).toEqual(["ada"]);
        store.onQuota((customer, full) => told.push([customer, full]));
        await store.deleteJob(id);
        await expect.poll(() => told.at(-1)).toEqual(["ada", false]);
      });
    });

    describe("kernels, tokens and bans", () => {
      it("keeps kernels", async () => {
        const source = inputOf(1);
        expect(await store.putKernel(sha256("one"), source, "eve")).toBe(true);
        expect(await store.putKernel(sha256("one"), source, "eve")).toBe(false);
        await store.putKernel(sha256("two"), inputOf(22), "eve");
        expect(await store.getKernel(sha256("one"))).toEqual(source);
        expect(await store.getKernel(sha256("none"))).toBeUndefined();
        expect(await store.listKernels("eve")).toEqual([
          { sha256: sha256("one"), size: source.length },
          { sha256: sha256("two"), size: inputOf(22).length },
        ]);
      });

      it("keeps tokens by the hash of their secret", async () => {
        const token = {
          id: "t1",
          hash: sha256("secret"),
          role: "customer",
          name: "ada",
          createdAt: 1,
          expiresAt: undefined,
          lastUsedAt: undefined,
        } as const;
        await store.createToken(token);
        await refuses("CONFLICT", store.createToken({ ...token, id: "t2" }));
        await refuses("CONFLICT", store.createToken({ ...token, hash: sha256("b") }));
        await store.createToken({ ...token, id: "t2", hash: sha256("b"), role: "admin", expiresAt: 99 });
        expect(await store.findToken(sha256("secret"))).toEqual(token);
        expect(await store.findToken(sha256("wrong"))).toBeUndefined();
        await expect
          .poll(async () => (await store.listTokens()).map(({ id, lastUsedAt }) => [id, lastUsedAt]))
          .toEqual([
            ["t1", now],
            ["t2", undefined],
          ]);
        expect(await store.revokeToken("t1")).toBe(true);
        expect(await store.revokeToken("t1")).toBe(false);
        expect(await store.findToken(sha256("secret"))).toBeUndefined();
        expect(await store.listTokens()).toMatchObject([{ id: "t2", role: "admin", expiresAt: 99 }]);
      });

      it("keeps bans with their newest reason", async () => {
        await store.ban("c_a", "rude");
        now++;
        await store.ban("1.2.3.4", "floods");
        now++;
        await store.ban("c_a", "very rude");
        expect(await store.listBans()).toEqual([
          { subject: "1.2.3.4", reason: "floods", at: now - 1 },
          { subject: "c_a", reason: "very rude", at: now },
        ]);
        expect(await store.unban("c_a")).toBe(true);
        expect(await store.unban("c_a")).toBe(false);
        expect(await store.listBans()).toHaveLength(1);
      });
    });

    describe("closing", () => {
      it("finishes what was asked before, refuses what comes after", async () => {
        await start(1);
        const last = store.complete(id, [done(0)]);
        await Promise.all([store.close(), store.close()]);
        expect((await last).accepted).toEqual([0]);
        await refuses("SHUTTING_DOWN", store.getJob(id));
        await refuses("SHUTTING_DOWN", store.complete(id, [done(0)]));
      });

      it.runIf(harness.durable)(
        "[DUR-1] [DUR-2] everything acknowledged is there after a restart",
        async () => {
          await store.touchBlob(blob("a"), ada);
          await store.putKernel(sha256("one"), inputOf(1), "ada");
          await store.ban("c_a", "rude");
          await start(0, { key: "k" });
          await store.submit(id, [...tasks(0, 9), task(9, { refs: [blob("a")] })]);
          await claimIndexes(5);
          await store.complete(id, [done(4), failed(2)]);
          await store.setPaused(id, true);
          const before = [
            await store.getJob(id),
            await readAll(),
            await store.listBans(),
            await store.blobUsage(),
          ];
          await restart();
          const after = [
            await store.getJob(id),
            await readAll(),
            await store.listBans(),
            await store.blobUsage(),
          ];
          expect(after).toEqual(before);
          expect(await store.getKernel(sha256("one"))).toEqual(inputOf(1));
          expect(await store.unreferencedBlobs(now + 1, 9)).toEqual([]);
          expect(await store.submit(id, tasks(0, 9))).toMatchObject({ added: 0, repeated: 9 });
          expect(await store.complete(id, [done(2), done(0)])).toMatchObject({
            accepted: [0],
            job: { lastSeq: 3 },
          });
        },
      );
    });

    describe("random operations against a model", () => {
      it.each(["1", "2", "3", "4", "5", "6", "7", "8"])(
        "[ONCE-1] [CLAIM-1] [CLAIM-2] seed %s",
        async (seed) => {
          store = await runRandomOperations(store, harness.durable ? restart : undefined, seed, 300);
        },
      );
    });
  });
}

async function pages(store: Store, id: JobId, after: number, size: number): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  for (;;) {
    const page = await store.results(id, rows.at(-1)?.seq ?? after, size, all);
    if (page.length === 0) return rows;
    rows.push(...page);
  }
}

function indexesOf(claimed: readonly ClaimedTask[]): number[] {
  return claimed.map(({ index }) => index);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, k) => from + k);
}
