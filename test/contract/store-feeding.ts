import { describe, expect, it } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { seededRandom } from "../../shared/random.ts";
import type { Quotas } from "../../server/store/quotas.ts";
import { noQuotas } from "../../server/store/quotas.ts";
import type { ClaimedTask, JobRow, NewOutcome, Store } from "../../server/store/store.ts";
import {
  blob,
  done,
  failed,
  failure,
  jobId,
  newJob,
  output,
  outputOf,
  postKernel,
  task,
  tasks,
} from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore, inMemory } from "./store-harness.ts";

const all = 1_000_000;
const [source, fed, third, fourth] = [1, 2, 3, 4].map(jobId) as [JobId, JobId, JobId, JobId];
const soon = { timeout: 20_000, interval: 5 };

/** The contract of every Store about jobs that take the outputs of others. */
export function feedingContract(harness: StoreHarness): void {
  describe("outputs as inputs", () => {
    let store: Store;
    const {
      open: empty,
      restart,
      start,
    } = useStore(harness, (opened) => {
      store = opened;
      store.onFed(() => {});
    });
    const open = async (quotas: Quotas) => {
      await empty(quotas);
      for (const customer of ["ada", "bob"]) await postKernel(store, customer);
    };
    const make = async (id: JobId, inputsFrom?: JobId, changes = {}) =>
      (await store.createJob(newJob({ id, ...(inputsFrom && { inputsFrom }), ...changes }))).job;
    const complete = (id: JobId, ...outcomes: NewOutcome[]) => store.complete(id, outcomes);
    const row = async (id: JobId) => (await store.getJob(id))!;
    const becomes = (id: JobId, expected: Partial<JobRow>) =>
      expect.poll(() => row(id), soon).toMatchObject(expected);
    const results = (id: JobId) => store.results(id, 0, all, Infinity);
    const inputsOf = (claimed: readonly ClaimedTask[]) =>
      claimed.map(({ index, input }) => [index, Buffer.from(input as Uint8Array).toString()]);

    it("[FEED-1] passes each output on as it is accepted, to the task of the same index", async () => {
      await start(4);
      await make(fed, source);
      const told: JobRow[] = [];
      store.onFed((each) => told.push(each));
      await complete(source, done(3), done(1));
      await becomes(fed, { total: 2, state: "open" });
      expect(told.at(-1)).toMatchObject({ id: fed, total: 2 });
      expect(inputsOf(await store.claim(fed, all))).toEqual([
        [1, "output 1"],
        [3, "output 3"],
      ]);
      await complete(source, done(0));
      await becomes(fed, { total: 3 });
      expect(inputsOf(await store.claim(fed, all))).toEqual([[0, "output 0"]]);
      expect(await row(source)).toMatchObject({ total: 4, done: 3 });
    });

    it("[FEED-1] a job that is made later gets the outputs from before, in strides; several jobs can be fed", async () => {
      await start(5000);
      await complete(source, ...Array.from({ length: 5000 }, (_, index) => done(index)));
      await store.closeJob(source);
      await make(fed, source);
      await make(third, source);
      for (const id of [fed, third]) {
        await becomes(id, { total: 5000, state: "closed" });
        const claimed = await store.claim(id, all);
        expect(claimed).toHaveLength(5000);
        for (const { index, input } of claimed) expect(input).toEqual(outputOf(index));
      }
    });

    it.runIf(harness.durable)(
      `[FEED-1] goes on after a restart, and repeats nothing${inMemory(harness)}`,
      async () => {
        await start(6000);
        await complete(source, ...Array.from({ length: 5000 }, (_, index) => done(index)));
        await make(fed, source);
        await restart();
        await becomes(fed, { total: 5000 });
        await restart();
        await complete(source, done(5500));
        await becomes(fed, { total: 5001 });
        expect(await store.claim(fed, all)).toHaveLength(5001);
      },
    );

    it("[FEED-1] [FEED-3] passes on what commits of any length record, outputs before failures among it", async () => {
      const rounds = 12;
      await start(3 * rounds);
      await make(fed, source);
      await make(third);
      let next = 0;
      for (let round = 0; round < rounds; round++) {
        const at = 3 * round;
        const others = Array.from({ length: 6 + round }, () => tasks(next, (next += 2000)));
        // Submissions between the two verbs put the second verb and the passing on of the first output into one commit.
        await Promise.all([
          complete(source, done(at)),
          ...others.map((added) => store.submit(third, added)),
          complete(source, done(at + 1), failed(at + 2)),
        ]);
      }
      await becomes(fed, { total: 3 * rounds, failed: rounds });
    });

    it("[FEED-1] [DATA-3] outputs in blobs are inputs in blobs, which the fed job keeps", async () => {
      await start(2);
      for (const text of ["held", "named"]) await store.touchBlob(blob(text));
      await make(fed, source);
      await complete(source, { state: "done", index: 0, output: blob("held"), refs: [blob("named")] }, {
        ...done(1),
        refs: [blob("named")],
      } as NewOutcome);
      await becomes(fed, { total: 2 });
      const claimed = await store.claim(fed, all);
      expect(claimed[0]).toMatchObject({ input: blob("held"), refs: [blob("named"), blob("held")] });
      expect(claimed[1]).toMatchObject({ input: outputOf(1), refs: [blob("named")] });
      await store.deleteJob(source);
      expect(await store.jobHasBlob(fed, blob("held").sha256)).toBe(true);
      expect(await store.unreferencedBlobs(all, 10)).toEqual([]);
    });

    it("[FEED-1] an output that names as many blobs as it may, and is in one, is no input", async () => {
      await start(1);
      const refs = Array.from({ length: limits.refsPerTask }, (_, n) => blob(`blob ${n}`));
      await Promise.all([...refs, blob("held")].map((each) => store.touchBlob(each)));
      await make(fed, source);
      await complete(source, { state: "done", index: 0, output: blob("held"), refs });
      await becomes(fed, { total: 1, failed: 1 });
      const [result] = await results(fed);
      expect(result).toMatchObject({
        failure: { kind: "blocked", message: expect.stringMatching(/1025 blobs/) as string },
      });
    });

    it("[FEED-1] provisional results are passed on when they are accepted", async () => {
      await start(2);
      await make(fed, source);
      const window = { number: 1, client: "c_1" as never, cohort: "lab" };
      await store.keepProvisional(source, window, [output(0), output(1)]);
      await store.acceptProvisional(source, 1, [1]);
      await becomes(fed, { total: 1 });
      expect(inputsOf(await store.claim(fed, all))).toEqual([[1, "output 1"]]);
    });

    it("[FEED-1] [QUOTA-1] counts to the customer of the fed job, and waits while its quota is full", async () => {
      await open({ ...noQuotas, openTasks: 3 });
      await start(3);
      await make(fed, source);
      await complete(source, done(0));
      await becomes(fed, { total: 1 });
      await make(third, source);
      await store.closeJob(source);
      await complete(source, done(1), done(2));
      await expect.poll(async () => (await row(fed)).total + (await row(third)).total, soon).toBe(3);
      expect((await store.usage("ada")).openTasks).toBe(3);
      const work = async (id: JobId) => {
        const claimed = await store.claim(id, all);
        await complete(id, ...claimed.map(({ index }) => done(index)));
        return (await row(id)).done;
      };
      await expect.poll(async () => (await work(fed)) + (await work(third)), soon).toBe(6);
      for (const id of [fed, third]) await becomes(id, { state: "finished", total: 3, done: 3 });
    });

    it("[FEED-2] takes no tasks from its customer, and is not closed by it", async () => {
      await start(1);
      await make(fed, source);
      await refuses("WRONG_STATE", store.submit(fed, [task(0)]), new RegExp(source));
      await refuses("WRONG_STATE", store.closeJob(fed), new RegExp(source));
      await complete(source, done(0));
      await becomes(fed, { total: 1 });
      await refuses("WRONG_STATE", store.submit(fed, [task(0)]));
      await store.closeJob(source);
      await becomes(fed, { state: "closed" });
      expect((await store.closeJob(fed)).state).toBe("closed");
    });

    it("[FEED-2] is closed behind the last output, and so down the line; a source without tasks feeds none", async () => {
      await start(1);
      await make(fed, source);
      await make(third, fed, { after: [source] });
      await store.closeJob(source);
      expect(await row(fed)).toMatchObject({ state: "open" });
      await complete(source, done(0));
      await becomes(fed, { state: "closed", total: 1 });
      await complete(fed, done(0));
      await becomes(third, { state: "closed", total: 1, waitingFor: [] });
      await make(jobId(5));
      await store.closeJob(jobId(5));
      await make(fourth, jobId(5));
      await becomes(fourth, { state: "finished", total: 0 });
    });

    describe("failures", () => {
      const blocked = { state: "failed", index: 1, failure: { kind: "blocked", attempts: 0 } };

      it("[FEED-3] a failed task of the source is a failed task, which names it, down the line", async () => {
        await start(2);
        await make(fed, source);
        await make(third, fed);
        await store.closeJob(source);
        await complete(source, failed(1), done(0));
        await becomes(fed, { total: 2, failed: 1, state: "closed" });
        expect(await store.claim(fed, all)).toHaveLength(1);
        await complete(fed, done(0));
        await becomes(third, { total: 2, failed: 1, state: "closed" });
        for (const id of [fed, third]) {
          const [result] = await results(id);
          expect(result).toMatchObject(blocked);
          expect(result).toMatchObject({
            failure: {
              message: `Task 1 of job ${source} ("squares"), whose output was to be its input, failed: no 1`,
            },
          });
        }
        await complete(third, done(0));
        await becomes(third, { state: "finished", done: 1, failed: 1 });
      });

      it("[FEED-3] requeueing the source takes the failures back, down the line, and finished jobs take inputs again", async () => {
        await start(2);
        await make(fed, source);
        await make(third, fed);
        await store.closeJob(source);
        await complete(source, failed(1), done(0));
        await becomes(fed, { state: "closed" });
        await complete(fed, done(0));
        await becomes(third, { state: "closed" });
        await complete(third, done(0));
        await becomes(third, { state: "finished" });
        const { outputBytes } = await row(third);
        expect(await store.requeueFailed(source)).toMatchObject({ requeued: 1 });
        for (const id of [fed, third])
          expect(await row(id)).toMatchObject({
            state: "open",
            total: 1,
            done: 1,
            failed: 0,
            endedAt: undefined,
          });
        expect((await row(third)).outputBytes).toBeLessThan(outputBytes);
        if (harness.durable) await restart();
        await complete(source, done(1));
        await becomes(fed, { state: "closed", total: 2 });
        expect(inputsOf(await store.claim(fed, all))).toEqual([[1, "output 1"]]);
        await complete(fed, done(1));
        await becomes(third, { state: "closed", total: 2 });
        await complete(third, done(1));
        await becomes(third, { state: "finished", done: 2, failed: 0 });
        expect((await results(third)).map(({ index, state }) => [index, state])).toEqual([
          [0, "done"],
          [1, "done"],
        ]);
      });

      it("[FEED-3] requeueing the fed job tries its own failures, and is refused when it has none", async () => {
        await start(3);
        await make(fed, source);
        await store.closeJob(source);
        await complete(source, failed(1), done(0), done(2));
        await becomes(fed, { state: "closed" });
        await complete(fed, failed(0), done(2));
        expect(await store.requeueFailed(fed)).toMatchObject({
          requeued: 1,
          job: { state: "closed", failed: 1 },
        });
        await complete(fed, done(0));
        await becomes(fed, { state: "finished", done: 2, failed: 1 });
        await refuses("WRONG_STATE", store.requeueFailed(fed), new RegExp(source));
        expect(await row(fed)).toMatchObject({ state: "finished", failed: 1 });
      });

      it("[FEED-3] requeues more failures than fit into a stride, among those of the source", async () => {
        const count = 5000;
        await start(count);
        await make(fed, source);
        await store.closeJob(source);
        const outcomes = Array.from({ length: count }, (_, index) =>
          index % 2 ? failed(index) : done(index),
        );
        await complete(source, ...outcomes);
        await becomes(fed, { state: "closed", total: count, failed: count / 2 });
        await complete(
          fed,
          ...outcomes.filter(({ index }) => index % 2 === 0).map(({ index }) => failed(index)),
        );
        expect((await store.requeueFailed(fed)).requeued).toBe(count / 2);
        expect(await row(fed)).toMatchObject({ state: "closed", failed: count / 2 });
        expect((await store.requeueFailed(source)).requeued).toBe(count / 2);
        expect(await row(fed)).toMatchObject({ state: "open", total: count / 2, failed: 0 });
      });
    });

    const ends: [string, RegExp, () => Promise<unknown>][] = [
      ["was cancelled", /was cancelled/, () => store.endJob(source, "cancelled")],
      ["was quarantined", /quarantined: no 0/, () => store.endJob(source, "quarantined", failure(0))],
      ["was deleted", /deleted/, () => store.deleteJob(source)],
    ];
    it.each(ends)(
      "[FEED-4] is blocked, down the line, when its source %s; what it has stays",
      async (_, reason, end) => {
        await start(3);
        await make(fed, source);
        await make(third, fed);
        await complete(source, done(0), done(1));
        await becomes(fed, { total: 2 });
        await store.claim(fed, all);
        await complete(fed, done(0));
        await becomes(third, { total: 1 });
        const told: [JobId, string][] = [];
        store.onDependents((each) => told.push([each.id, each.state]));
        await end();
        for (const id of [fed, third])
          expect(await row(id)).toMatchObject({
            state: "blocked",
            reason: { kind: "blocked", message: expect.stringMatching(reason) as string },
          });
        expect(told).toEqual([
          [fed, "blocked"],
          [third, "blocked"],
        ]);
        expect(await results(fed)).toHaveLength(1);
        expect(await store.complete(fed, [done(1)])).toMatchObject({ dropped: [1] });
        expect(await store.claim(fed, all)).toEqual([]);
        await refuses("WRONG_STATE", store.requeueFailed(fed), reason);
        const late = (await store.createJob(newJob({ id: fourth, inputsFrom: fed }))).job;
        expect(late).toMatchObject({
          state: "blocked",
          reason: { message: expect.stringMatching(reason) as string },
        });
      },
    );

    it("[FEED-4] goes on from where it was when the source is requeued", async () => {
      await start(3);
      await make(fed, source);
      await make(third, fed);
      await complete(source, done(0), failed(1));
      await becomes(fed, { total: 2, failed: 1 });
      expect(await store.claim(fed, all)).toHaveLength(1);
      await store.endJob(source, "quarantined", failure(2));
      if (harness.durable) await restart();
      await store.requeueFailed(source);
      expect(await row(fed)).toMatchObject({ state: "open", total: 1, failed: 0, reason: undefined });
      expect(await row(third)).toMatchObject({ state: "open", reason: undefined });
      expect(inputsOf(await store.claim(fed, all))).toEqual([[0, "output 0"]]);
      await store.closeJob(source);
      await complete(source, done(1), done(2));
      await becomes(fed, { state: "closed", total: 3 });
      await complete(fed, done(0), done(1), done(2));
      await becomes(third, { state: "closed", total: 3 });
    });

    it("[FEED-4] goes on when the jobs go on that its source comes after", async () => {
      await start(1);
      await make(fed, undefined, { after: [source] });
      await store.submit(fed, [task(0)]);
      await store.closeJob(fed);
      await store.closeJob(source);
      await complete(source, failed(0));
      await make(third, fed);
      expect(await row(third)).toMatchObject({ state: "blocked" });
      await store.requeueFailed(source);
      await complete(source, done(0));
      await becomes(third, { state: "open" });
      await complete(fed, done(0));
      await becomes(third, { state: "closed", total: 1 });
    });

    it("[FEED-4] a quarantined fed job is requeued only while its source can feed it, and then goes on", async () => {
      await start(2);
      await make(fed, source);
      await complete(source, done(0));
      await becomes(fed, { total: 1 });
      await store.endJob(fed, "quarantined", failure(0));
      await complete(source, done(1));
      await store.requeueFailed(fed);
      await becomes(fed, { state: "open", total: 2 });
      await store.endJob(fed, "quarantined", failure(0));
      await store.endJob(source, "cancelled");
      expect(await row(fed)).toMatchObject({ state: "quarantined" });
      await refuses("WRONG_STATE", store.requeueFailed(fed), /was cancelled/);
      expect(await row(fed)).toMatchObject({ state: "quarantined" });
    });

    it("[FEED-4] a source that has finished passes everything on before it is deleted", async () => {
      await start(5000);
      await complete(source, ...Array.from({ length: 5000 }, (_, index) => done(index)));
      await store.closeJob(source);
      await make(fed, source);
      await store.deleteJob(source);
      expect(await row(fed)).toMatchObject({ state: "closed", total: 5000 });
      await complete(fed, failed(0));
      expect((await store.requeueFailed(fed)).requeued).toBe(1);
    });

    it("[FEED-4] a cancelled fed job stays so, and one that has everything outlives its source", async () => {
      await start(2);
      await make(fed, source);
      await make(third, source);
      await complete(source, failed(1));
      await becomes(fed, { total: 1 });
      await becomes(third, { total: 1 });
      await store.endJob(fed, "cancelled");
      await store.requeueFailed(source);
      expect(await row(fed)).toMatchObject({ state: "cancelled", total: 1 });
      await store.closeJob(source);
      await complete(source, done(0), done(1));
      await becomes(third, { state: "closed", total: 2 });
      await store.deleteJob(source);
      expect(await row(third)).toMatchObject({ state: "closed" });
      await complete(third, done(0), done(1));
      expect(await row(third)).toMatchObject({ state: "finished", inputsFrom: source });
    });

    it("[FEED-5] a source must exist", async () => {
      await refuses("NOT_FOUND", store.createJob(newJob({ inputsFrom: fourth })), new RegExp(fourth));
      expect(await store.getJob(source)).toBeUndefined();
    });

    it("[KEY-1] a key stands for one source", async () => {
      await start(0);
      await make(third);
      await make(fed, source, { key: "k" });
      const again = (inputsFrom: JobId) => store.createJob(newJob({ id: fourth, key: "k", inputsFrom }));
      expect(await again(source)).toMatchObject({ created: false, job: { id: fed } });
      await refuses("CONFLICT", again(third), /inputsFrom/);
    });

    it.each(["1", "2", "3", "4", "5", "6"])(
      "[FEED-1] [FEED-3] [ONCE-1] follows its source through anything, seed %s",
      async (seed) => {
        const random = seededRandom(`feeding ${seed}`);
        const pick = (count: number) => Math.floor(random() * count);
        const count = 40;
        await start(count);
        await make(fed, source);
        await make(third, fed);
        /** Ends some open tasks of a job, as an earlier attempt of another client may have at the same time. */
        const work = async (id: JobId) => {
          const claimed = await store.claim(id, 1 + pick(10));
          const [now, later] = [claimed.filter(() => random() < 0.7), claimed];
          const ended = now.map(({ index }) => (random() < 0.3 ? failed(index) : done(index)));
          await store.complete(id, ended);
          const open = later
            .map(({ index }) => index)
            .filter((index) => !ended.some((one) => one.index === index));
          await store.unclaim(id, open);
        };
        for (let round = 0; round < 60; round++) {
          const acts = [source, fed, third].map((id) => (random() < 0.2 ? requeue(id) : work(id)));
          if (random() < 0.1) acts.push(quarantine(fed));
          await Promise.all(acts);
          if (harness.durable && random() < 0.1) await restart();
        }
        async function requeue(id: JobId) {
          await store
            .requeueFailed(id)
            .catch((error: unknown) => expect(error).toMatchObject({ code: "WRONG_STATE" }));
        }
        async function quarantine(id: JobId) {
          await store.endJob(id, "quarantined", failure(0));
          await requeue(id);
        }
        await store.closeJob(source);
        for (const id of [source, fed, third]) {
          for (let job = await row(id); job.state !== "finished" || job.failed > 0; job = await row(id)) {
            await requeue(id);
            for (const { index } of await store.claim(id, all)) await complete(id, done(index));
          }
          if (id !== source)
            expect(await row(id)).toMatchObject({
              total: count,
              inputBytes: (await row(source)).outputBytes,
            });
          expect(await row(id)).toMatchObject({ total: count, done: count, failed: 0 });
          expect(new Set((await results(id)).map(({ index }) => index)).size).toBe(count);
        }
        if (harness.durable) {
          const before = await store.usage("ada");
          await restart();
          expect(await store.usage("ada")).toEqual(before);
        }
      },
    );
  });
}
