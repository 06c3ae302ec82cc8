import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Damage } from "../../server/store/sql/checksum.ts";
import type { Store } from "../../server/store/store.ts";
import type { ClientId } from "../../shared/ids.ts";
import {
  done,
  failed,
  failure,
  inputOf,
  jobId,
  newJob,
  output,
  postKernel,
  sha256,
  task,
  tasks,
} from "./store-fixtures.ts";
import { refuses } from "./store-harness.ts";

/** A database that a test changes behind the store's back. */
export interface DamageableStore {
  /** Opens the store with a saved set of ended tasks every four outcomes. */
  readonly open: (onDamage: (found: Damage) => void) => Promise<Store>;
  /** Runs a statement while the store is closed. @returns the number of changed rows */
  readonly run: (sql: string) => Promise<number>;
  /** SQL that moves the bytes of a column. */
  readonly changed: (column: string) => string;
  readonly remove?: () => Promise<void>;
}

const id = jobId(1);
const other = jobId(2);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => from + k);

/** The contract of a store whose database was changed. */
export function damageContract(name: string, make: () => Promise<DamageableStore>): void {
  let database: DamageableStore;
  let store: Store;
  let damages: Damage[];

  async function start(): Promise<void> {
    damages = [];
    store = await database.open((found) => damages.push(found));
  }

  async function change(sql: string): Promise<void> {
    await store.close();
    expect(await database.run(sql)).toBeGreaterThan(0);
    await start();
  }

  const changed = (column: string) => database.changed(column);
  const claim = (limit = 100, job = id) => store.claim(job, limit);
  const read = (job = id) => store.results(job, 0, 1_000, Infinity);

  describe(`[ROT-1] [ROT-2] a changed byte of the database: ${name}`, () => {
    beforeEach(async () => {
      database = await make();
      await start();
      await postKernel(store);
      await store.createJob(newJob());
    });
    afterEach(async () => {
      await store.close();
      await database.remove?.();
    });

    it("in inputs damages the tasks of their pack, and no others", async () => {
      await store.createJob(newJob({ id: other }));
      await store.submit(id, tasks(0, 3));
      await store.submit(id, tasks(3, 6));
      await store.submit(other, tasks(0, 2));
      await change(`UPDATE taskPacks SET ${changed("inputs")} WHERE first = 0 AND count = 3`);
      const claimed = await claim();
      expect(claimed.map(({ index, isDamaged }) => [index, isDamaged === true])).toEqual(
        range(0, 6).map((index) => [index, index < 3]),
      );
      expect(claimed.slice(3).map(({ input }) => input)).toEqual([3, 4, 5].map(inputOf));
      expect((await claim(100, other)).map(({ input }) => input)).toEqual([0, 1].map(inputOf));
      expect(damages).toEqual([{ what: "inputs", job: id, tasks: [0, 1, 2] }]);
      expect((await store.readTasks(id, [1, 4])).map(({ isDamaged }) => isDamaged)).toEqual([
        true,
        undefined,
      ]);
      await refuses("DATA_DIRECTORY", store.submit(id, [task(1)]), /inputs of task 1 of job/);
      expect(await store.submit(id, [task(4), task(6)])).toMatchObject({ added: 1, repeated: 1 });
    });

    it("in the columns that say which inputs they are hands out none of them", async () => {
      await store.submit(id, tasks(0, 3));
      await store.submit(id, tasks(3, 6));
      await change("UPDATE taskPacks SET count = 2 WHERE first = 3");
      expect((await claim()).map(({ index }) => index)).toEqual([0, 1, 2]);
      expect(damages).toEqual([{ what: "inputs", job: id, tasks: [3, 4] }]);
    });

    it("in outputs is a failed result of each task of the pack", async () => {
      await store.submit(id, tasks(0, 6));
      await claim();
      await store.complete(id, [done(5), done(1)]);
      await store.complete(id, [done(2), done(0)]);
      await store.complete(id, [failed(3)]);
      await change(`UPDATE outcomePacks SET ${changed("outputs")} WHERE seq = 1`);
      const lost = (index: number) => ({
        state: "failed",
        failure: {
          index,
          kind: "data",
          message: `The task was done, but its output cannot be read. The stored outputs of 2 tasks between 1 and 5 of job ${id} are damaged on the server's disk. Submit the input again to have it computed anew.`,
          attempts: 0,
        },
      });
      expect(await read()).toEqual([
        { seq: 1, index: 5, ...lost(5) },
        { seq: 2, index: 1, ...lost(1) },
        { seq: 3, ...done(2), refs: [] },
        { seq: 4, ...done(0), refs: [] },
        { seq: 5, ...failed(3) },
      ]);
      expect((await store.results(id, 1, 2, 1)).map(({ seq }) => seq)).toEqual([2]);
    });

    it("in the columns that say which outputs they are ends reading there", async () => {
      await store.submit(id, tasks(0, 6));
      await claim();
      await store.complete(id, [done(0), done(1)]);
      await store.complete(id, [done(2), done(3)]);
      await change("UPDATE outcomePacks SET first = 4 WHERE seq = 3");
      expect((await read()).map(({ index }) => index)).toEqual([0, 1]);
      await refuses("DATA_DIRECTORY", store.results(id, 2, 10, Infinity), /stored outputs of job/);
    });

    it("in a failure is another failure, that says so", async () => {
      await store.submit(id, tasks(0, 2));
      await claim();
      await store.complete(id, [failed(0)]);
      await store.complete(id, [failed(1)]);
      await change("UPDATE outcomePacks SET failure = replace(failure, 'no 0', 'no 9') WHERE seq = 1");
      const message = `The stored failure of task 0 of job ${id} is damaged on the server's disk.`;
      const damaged = { index: 0, kind: "data", attempts: 0 };
      expect(await store.failures(id, 10)).toEqual([{ ...damaged, message }, failure(1)]);
      expect(await read()).toMatchObject([
        { seq: 1, state: "failed", failure: damaged },
        { seq: 2, ...failed(1) },
      ]);
    });

    it("in provisional results has their tasks computed again, and accepts the others", async () => {
      await store.submit(id, tasks(0, 6));
      await claim();
      const window = { number: 1, client: "c_1" as ClientId, cohort: "one" };
      await store.keepProvisional(id, window, [output(0), output(1)]);
      await store.keepProvisional(id, window, [output(2)]);
      await change(`UPDATE provisionalPacks SET ${changed("outputs")} WHERE first = 0`);
      expect(await store.provisionalOutput(id, 1, 1)).toBeUndefined();
      expect(await store.provisionalOutput(id, 1, 2)).toEqual(output(2));
      expect((await store.provisionalResults(id, -1, 10, Infinity)).map(({ index }) => index)).toEqual([2]);
      expect((await claim()).map(({ index }) => index)).toEqual([3, 4, 5]);
      expect(await store.acceptProvisional(id, 1, [0, 1, 2])).toMatchObject({
        accepted: [2],
        dropped: [0, 1],
        reopened: [0, 1],
        job: { provisional: 0, done: 1 },
      });
      expect((await claim()).map(({ index }) => index)).toEqual([0, 1]);
    });

    it("is not covered by a new checksum when another result of the window is withdrawn", async () => {
      await store.submit(id, tasks(0, 3));
      await claim();
      const window = { number: 1, client: "c_1" as ClientId, cohort: "one" };
      await store.keepProvisional(
        id,
        window,
        tasks(0, 3).map(({ index }) => output(index)),
      );
      await change(`UPDATE provisionalPacks SET ${changed("outputs")}`);
      expect(await store.listWindows()).toMatchObject([{ indexes: [0, 1, 2] }]);
      expect((await store.withdrawProvisional(id, 1, [0])).reopened).toEqual([0, 1, 2]);
      expect(await store.provisionalResults(id, -1, 10, Infinity)).toEqual([]);
    });

    it("in a checkpoint has the task computed from its beginning", async () => {
      await store.submit(id, tasks(0, 2));
      for (const index of [0, 1]) await store.checkpoint(id, index, inputOf(index));
      await change(`UPDATE checkpoints SET ${changed("state")} WHERE idx = 0`);
      expect((await claim()).map(({ checkpoint }) => checkpoint)).toEqual([undefined, inputOf(1)]);
      expect(damages).toEqual([{ what: "checkpoint", job: id, tasks: [0] }]);
    });

    it("in a kernel is refused until the kernel is posted again", async () => {
      const { kernel } = newJob();
      await change(`UPDATE kernels SET ${changed("source")}`);
      await refuses("DATA_DIRECTORY", store.getKernel(kernel.sha256), /^Kernel .* is damaged/);
      await postKernel(store);
      expect(sha256(new TextDecoder().decode(await store.getKernel(kernel.sha256)))).toBe(kernel.sha256);
    });

    it("[ROT-7] is found by a walk over all records, which goes on after everything else", async () => {
      await store.submit(id, tasks(0, 40));
      await claim();
      for (let index = 0; index < 20; index++) await store.complete(id, [done(index)]);
      await store.complete(id, [failed(20)]);
      const window = { number: 1, client: "c_1" as ClientId, cohort: "one" };
      await store.keepProvisional(id, window, [output(21)]);
      await store.checkpoint(id, 22, inputOf(22));
      const walk = async () => {
        let records = 0;
        for (let at = await store.verifyRecords(); ; at = await store.verifyRecords(at.next)) {
          records += at.records;
          if (!at.next) return records;
        }
      };
      expect(await walk()).toBe(1 + 20 + 1 + 1 + 1 + 1);
      expect(damages).toEqual([]);
      await change(`UPDATE outcomePacks SET ${changed("outputs")} WHERE seq = 18`);
      await change(`UPDATE provisionalPacks SET ${changed("outputs")}`);
      await change(`UPDATE checkpoints SET ${changed("state")}`);
      await change(`UPDATE kernels SET ${changed("source")}`);
      await walk();
      expect(damages).toEqual([
        { what: "outputs", job: id, tasks: [17] },
        { what: "provisional results", job: id, tasks: [21] },
        { what: "kernel", kernel: newJob().kernel.sha256 },
        { what: "checkpoint", job: id, tasks: [22] },
      ]);
    });

    it("in the set of ended tasks is found, and the set made anew from the outcomes", async () => {
      await store.submit(id, tasks(0, 10));
      await claim();
      await store.complete(id, range(0, 8).map(done));
      await change(`UPDATE endedSets SET ${changed("tasks")}`);
      expect((await claim()).map(({ index }) => index)).toEqual([8, 9]);
    });
  });
}
