import { describe, expect, it } from "vitest";
import type { BlobName } from "../../shared/data-reference.ts";
import type { JobId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { seededRandom } from "../../shared/random.ts";
import { decodeInput, encodeValue, type Value } from "../../shared/wire/codec.ts";
import { noQuotas, type Quotas } from "../../server/store/quotas.ts";
import type { ClaimedTask, JobRow, NewOutcome, Store } from "../../server/store/store.ts";
import { blob, failed, jobId, newJob, postKernel, tasks } from "./store-fixtures.ts";
import { type StoreHarness, useStore, inMemory } from "./store-harness.ts";

const all = 1_000_000;
const [source, fed, third] = [1, 2, 3].map(jobId) as [JobId, JobId, JobId];
const soon = { timeout: 20_000, interval: 5 };

/** The contract of every Store about jobs whose inputs are groups of outputs. */
export function groupingContract(harness: StoreHarness): void {
  describe("groups of outputs as inputs", () => {
    let store: Store;
    const { open, restart } = useStore(harness, (opened) => {
      store = opened;
      store.onFed(() => {});
    });
    const start = async (count: number, quotas: Quotas = noQuotas) => {
      await open(quotas);
      for (const customer of ["ada", "bob"]) await postKernel(store, customer);
      await make(source);
      if (count > 0) await store.submit(source, tasks(0, count));
    };
    const make = (id: JobId, changes = {}) => store.createJob(newJob({ id, ...changes }));
    const group = (outputsPerTask: number, changes = {}) =>
      make(fed, { inputsFrom: source, outputsPerTask, ...changes });
    const done = (index: number, value: Value = index): NewOutcome => {
      return { state: "done", index, output: encodeValue(value), refs: [] };
    };
    const complete = (...outcomes: NewOutcome[]) => store.complete(source, outcomes);
    const row = async (id: JobId) => (await store.getJob(id))!;
    const becomes = (id: JobId, expected: Partial<JobRow>) =>
      expect.poll(() => row(id), soon).toMatchObject(expected);
    const inputsOf = (claimed: readonly ClaimedTask[], held: (blob: BlobName) => Value = () => null) =>
      Promise.all(
        claimed.map(async ({ index, input }) => [
          index,
          await decodeInput(input as Uint8Array, async (name) => encodeValue(held(name))),
        ]),
      );
    const claim = async (id = fed) => inputsOf(await store.claim(id, all));

    it("[FEED-6] go by index, whatever the order of completion; the last one has what is left", async () => {
      await start(8);
      await group(3);
      await complete(done(4), done(2), done(5), done(3), done(7));
      await complete(done(1));
      await expect.poll(() => row(fed), { timeout: 200 }).toMatchObject({ total: 0 });
      await complete(done(0));
      await becomes(fed, { total: 2, state: "open" });
      await complete(done(6));
      await store.closeJob(source);
      await becomes(fed, { total: 3, state: "closed" });
      expect(await claim()).toEqual([
        [0, [0, 1, 2]],
        [1, [3, 4, 5]],
        [2, [6, 7]],
      ]);
    });

    it("[FEED-6] of a source that has finished, in strides, and down the line", async () => {
      const count = 20_011;
      await start(count);
      const order = Array.from({ length: count }, (_, index) => index);
      const random = seededRandom("order");
      for (let i = count - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      for (let at = 0; at < count; at += 700)
        await complete(...order.slice(at, at + 700).map((i) => done(i)));
      await store.closeJob(source);
      await group(10);
      await make(third, { inputsFrom: fed, outputsPerTask: 100 });
      await becomes(fed, { total: 2002, state: "closed" });
      const claimed = await store.claim(fed, all);
      const inputs = await inputsOf(claimed);
      expect(inputs.flatMap(([, input]) => input)).toEqual(Array.from({ length: count }, (_, i) => i));
      await store.complete(
        fed,
        claimed.map(({ index }) => done(index)),
      );
      await becomes(third, { total: 21, state: "closed" });
      expect((await claim(third)).at(-1)).toEqual([20, [2000, 2001]]);
    });

    it.runIf(harness.durable)(
      `[FEED-6] go on after a restart, and repeat nothing${inMemory(harness)}`,
      async () => {
        await start(10);
        await group(2);
        await complete(done(0), done(1), done(3), done(4));
        await becomes(fed, { total: 1 });
        await restart();
        store.onFed(() => {});
        await complete(done(2));
        await becomes(fed, { total: 2 });
        await restart();
        store.onFed(() => {});
        await complete(...[5, 6, 7, 8, 9].map((index) => done(index)));
        await store.closeJob(source);
        await becomes(fed, { total: 5, state: "closed" });
        expect((await claim()).map(([, input]) => input)).toEqual([
          [0, 1],
          [2, 3],
          [4, 5],
          [6, 7],
          [8, 9],
        ]);
      },
    );

    it("[FEED-6] indexes that the source does not have leave no gaps in a group", async () => {
      await start(0);
      await store.submit(source, [...tasks(2, 5), ...tasks(20, 22)]);
      await group(4);
      await complete(...[2, 3, 4, 20, 21].map((index) => done(index)));
      await store.closeJob(source);
      await becomes(fed, { total: 3, state: "closed" });
      expect(await claim()).toEqual([
        [0, [2, 3]],
        [1, [4]],
        [5, [20, 21]],
      ]);
    });

    it("[FEED-6] [DATA-3] outputs in blobs stay there, and the fed job keeps them", async () => {
      await start(2);
      for (const text of ["held", "named"]) await store.touchBlob(blob(text));
      await group(2);
      await complete(done(0), { state: "done", index: 1, output: blob("held"), refs: [blob("named")] });
      await becomes(fed, { total: 1 });
      const claimed = await store.claim(fed, all);
      expect(claimed[0]!.refs).toEqual([blob("named"), blob("held")]);
      expect(await inputsOf(claimed, (name) => name.sha256)).toEqual([[0, [0, blob("held").sha256]]]);
      await store.closeJob(source);
      await becomes(fed, { state: "closed" });
      await store.deleteJob(source);
      expect(await store.jobHasBlob(fed, blob("held").sha256)).toBe(true);
    });

    it("[FEED-6] a group of too many bytes or blobs blocks the job, after the groups before it", async () => {
      await start(12);
      const large = "x".repeat(250_000);
      await group(10);
      await complete(...Array.from({ length: 12 }, (_, index) => done(index, large)));
      await becomes(fed, { state: "blocked", total: 0 });
      expect((await row(fed)).reason!.message).toMatch(
        /^The outputs of tasks 0 to 9 of job .* have 2500\d\d\d bytes together; at most 2101248 are allowed.*outputsPerTask/,
      );
      await make(third, { inputsFrom: source, outputsPerTask: 8 });
      await becomes(third, { total: 1 });
      const refs = Array.from({ length: limits.refsPerTask }, (_, n) => blob(`blob ${n}`));
      await Promise.all([...refs, blob("held")].map((each) => store.touchBlob(each)));
      const many = jobId(4);
      await make(many);
      await store.submit(many, tasks(0, 2));
      await store.complete(many, [done(0), { state: "done", index: 1, output: blob("held"), refs }]);
      const blocked = jobId(5);
      await make(blocked, { inputsFrom: many, outputsPerTask: 2 });
      await becomes(blocked, { state: "blocked" });
      expect((await row(blocked)).reason!.message).toMatch(/need 1025 blobs; at most 1024/);
    });

    it("[FEED-6] [QUOTA-1] wait while the quota of the fed job's customer is full", async () => {
      await start(4, { ...noQuotas, openTasks: 4 });
      const other = jobId(4);
      await make(other, { customer: "bob" });
      await store.submit(other, tasks(0, 3));
      await group(2, { customer: "bob" });
      await complete(...[0, 1, 2, 3].map((index) => done(index)));
      // The two groups could be made at once.
      await becomes(fed, { total: 1 });
      await store.complete(other, [done(0)]);
      await becomes(fed, { total: 2 });
    });

    it("[FEED-7] a failed task blocks the job when the source has finished, and it goes on once that has none", async () => {
      await start(4);
      await group(2);
      await make(third, { inputsFrom: fed, outputsPerTask: 2 });
      await complete(done(0), done(1), failed(3));
      await becomes(fed, { total: 1, state: "open" });
      await complete(done(2));
      await store.closeJob(source);
      await becomes(fed, { state: "blocked", total: 1 });
      expect((await row(third)).reason!.message).toMatch(/finished with 1 of 4 tasks failed/);
      await make(jobId(4), { inputsFrom: source, outputsPerTask: 4 });
      expect(await row(jobId(4))).toMatchObject({ state: "blocked" });
      await store.requeueFailed(source);
      await becomes(fed, { state: "open" });
      await complete(done(3));
      await becomes(fed, { state: "closed", total: 2 });
      expect(await claim()).toEqual([
        [0, [0, 1]],
        [1, [2, 3]],
      ]);
      await store.complete(fed, [done(0), done(1)]);
      await becomes(third, { state: "closed", total: 1 });
      await becomes(jobId(4), { state: "closed", total: 1 });
    });

    it("[KEY-1] a key stands for one size of the groups", async () => {
      await start(1);
      await group(2, { key: "k" });
      await expect(make(jobId(9), { key: "k", inputsFrom: source, outputsPerTask: 3 })).rejects.toMatchObject(
        {
          code: "CONFLICT",
        },
      );
    });
  });
}
