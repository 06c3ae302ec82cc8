import { describe, expect, it } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import type { ResultRow, Store } from "../../server/store/store.ts";
import { blob, done, failed, failure, inputOf, jobId, newJob, task, tasks } from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore, inMemory } from "./store-harness.ts";

const all = 1_000_000;
const ada = { customer: "ada" };
const id = jobId(1);

/** The contract of every Store about tasks and their outcomes. */
export function taskContract(harness: StoreHarness): void {
  describe("tasks", () => {
    let store: Store;
    const { claimIndexes, clock, readAll, restart, start } = useStore(harness, (opened) => (store = opened));

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
        clock.now = 2_000_000;
        await store.submit(id, [task(0)]);
        expect(await submittedAt()).toBe(2_000_000);
        clock.now = 90_000_000;
        await store.submit(id, [task(0)]);
        if (harness.durable) await restart();
        expect(await submittedAt()).toBe(90_000_000);
        await store.endJob(id, "quarantined", failure(0));
        clock.now = 95_000_000;
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

      it.runIf(harness.durable)(
        `[CLAIM-2] gives the tasks of a server that died again${inMemory(harness)}`,
        async () => {
          await start(10);
          await claimIndexes(6);
          await store.complete(id, [done(0), done(4)]);
          await restart();
          expect(await claimIndexes(all)).toEqual([1, 2, 3, 5, 6, 7, 8, 9]);
        },
      );

      it.runIf(harness.durable)(
        `[CLAIM-2] finds a low task again that was submitted in the commit of higher outcomes${inMemory(harness)}`,
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
        clock.now = 20_000;
        expect(await store.closeJob(id)).toMatchObject({ state: "finished", endedAt: 20_000 });
        clock.now = 30_000;
        expect(await store.closeJob(id)).toMatchObject({ state: "finished", endedAt: 20_000 });

        const other = jobId(2);
        await start(2, { id: other });
        expect((await store.closeJob(other)).state).toBe("closed");
        expect((await store.complete(other, [done(0)])).job.state).toBe("closed");
        expect((await store.complete(other, [done(1)])).job).toMatchObject({
          state: "finished",
          endedAt: clock.now,
        });
      });

      it("[END-1] a job closed without tasks is finished", async () => {
        await start(0);
        expect((await store.closeJob(id)).state).toBe("finished");
      });

      it("[END-2] a cancelled job takes no more outcomes and stays cancelled", async () => {
        await start(3);
        await store.complete(id, [done(0)]);
        expect(await store.endJob(id, "cancelled")).toMatchObject({ state: "cancelled", endedAt: clock.now });
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
        expect(await store.unreferencedBlobs(clock.now + 1, 10)).toEqual([blob("mine")]);
        expect(await claimIndexes(9, jobId(2))).toEqual([0]);
        expect((await store.createJob(newJob({ key: "k" }))).created).toBe(true);
        expect(await claimIndexes(all)).toEqual([]);
        expect(await readAll()).toEqual([]);
      });
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

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, k) => from + k);
}
