import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { databaseName, openSqliteStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import type { ClientId } from "../../shared/ids.ts";
import { seededRandom } from "../../shared/random.ts";
import {
  blob,
  done,
  failed,
  jobId,
  newJob,
  output,
  postKernel,
  task,
  tasks,
} from "../contract/store-fixtures.ts";
import { runRandomOperations } from "../contract/store-model.ts";

const id = jobId(1);
const all = 1_000_000;
let directory: string;
let store: Store;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "manyhands-packs-"));
  store = await openSqliteStore(directory, { markEvery: 100 });
  await postKernel(store);
  await store.createJob(newJob());
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

async function restart(): Promise<void> {
  await store.close();
  store = await openSqliteStore(directory, { markEvery: 100 });
}

/** Rows of the closed database. */
async function rows<Row>(sql: string): Promise<Row[]> {
  await store.close();
  const database = new DatabaseSync(join(directory, databaseName));
  const found = database.prepare(sql).all() as Row[];
  database.close();
  return found.map((row) => ({ ...row }));
}

const range = (count: number) => Array.from({ length: count }, (_, k) => k);
const bytes = (size: number) => new Uint8Array(size).fill(size % 251);

describe("tasks in packs", () => {
  it("are one pack however many verbs of a transaction brought them, in pieces of 1,024 tasks and 256 KiB", async () => {
    await Promise.all(range(40).map((verb) => store.submit(id, tasks(50 * verb, 50 * (verb + 1)))));
    await store.submit(
      id,
      range(60).map((k) => task(2000 + k, { input: bytes(10_000) })),
    );
    await store.submit(id, [task(2060, { input: bytes(300_000) }), task(2061)]);
    await restart();
    const claimed = await store.claim(id, all);
    expect(claimed.map(({ index }) => index)).toEqual(range(2062));
    expect(claimed[1500]).toMatchObject(task(1500));
    expect(claimed[2059]?.input).toEqual(bytes(10_000));
    expect(claimed[2060]?.input).toEqual(bytes(300_000));
    const packs = await rows<{ count: number }>("SELECT count FROM taskPacks ORDER BY first");
    const counts = packs.map(({ count }) => count);
    expect(counts.slice(-5)).toEqual([26, 26, 8, 1, 1]);
    // The verbs make two packs, unless the machine is so slow that they did not fit one transaction.
    expect(counts.length).toBeLessThan(5 + 20);
    expect(Math.max(...counts)).toBeLessThanOrEqual(1024);
  });

  it("[ONCE-2] [ONCE-3] repeats are found in packs, and in what the same transaction adds", async () => {
    const verbs = await Promise.allSettled([
      store.submit(id, tasks(0, 10)),
      store.submit(id, tasks(5, 15)),
      store.submit(id, [task(3, { input: bytes(3) })]),
      store.submit(id, [task(40), task(30), task(20), task(12)]),
    ]);
    expect(verbs).toMatchObject([
      { value: { added: 10 } },
      { value: { added: 5, repeated: 5 } },
      { reason: { code: "CONFLICT" } },
      { value: { added: 3, repeated: 1, total: 18 } },
    ]);
    await restart();
    expect(await store.submit(id, [...tasks(0, 15), task(40)])).toMatchObject({ added: 0, repeated: 16 });
    expect((await store.claim(id, all)).map(({ index }) => index)).toEqual([...range(15), 20, 30, 40]);
  });

  it("few of a large pack, held for long, do not keep the pack in memory", async () => {
    await store.submit(
      id,
      range(20).map((index) => task(index, { input: bytes(10_000) })),
    );
    const [first] = await store.claim(id, 1);
    expect((first!.input as Uint8Array).buffer.byteLength).toBe(10_000);
    const rest = await store.claim(id, all);
    expect(rest.map(({ input }) => (input as Uint8Array).length)).toEqual(range(19).map(() => 10_000));
    const buffers = new Set(rest.map(({ input }) => (input as Uint8Array).buffer));
    expect(buffers.size).toBe(1);
    await store.unclaim(id, [7, 3]);
    expect(
      (await store.claim(id, all)).map(({ index, input }) => [
        index,
        (input as Uint8Array).buffer.byteLength,
      ]),
    ).toEqual([
      [3, 20_000],
      [7, 20_000],
    ]);
  });

  it("keep blobs and references by place", async () => {
    for (const text of ["one", "two", "three"]) await store.touchBlob(blob(text), { customer: "ada" });
    const mixed = [
      task(0),
      task(1, { refs: [blob("one"), blob("two")] }),
      task(2, { input: blob("three"), refs: [blob("one")] }),
      task(3, { input: new Uint8Array() }),
      task(4, { input: blob("two") }),
      task(5),
    ];
    await store.submit(id, mixed);
    await restart();
    expect(await store.submit(id, mixed)).toMatchObject({ repeated: 6 });
    expect(await store.claim(id, all)).toMatchObject(mixed);
  });
});

describe("outcomes in packs", () => {
  it("[ONCE-1] a task that has ended is known to have, one outcome a transaction or many, across restarts", async () => {
    const random = seededRandom("ended");
    const count = 1200;
    await store.submit(id, tasks(0, count));
    const order = range(count)
      .map((index) => ({ index, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ index }) => index);
    const ended: number[] = [];
    while (ended.length < 1000) {
      const some = order.slice(ended.length, ended.length + 1 + Math.floor(random() * 40));
      await store.complete(
        id,
        some.map((index) => (index % 7 === 0 ? failed(index) : done(index))),
      );
      ended.push(...some);
      if (random() < 0.2) await restart();
      const again = await store.complete(id, some.map(done));
      expect(again).toMatchObject({ accepted: [], dropped: some });
    }
    await restart();
    expect(await store.complete(id, ended.map(done))).toMatchObject({ accepted: [], dropped: ended });
    const open = order.slice(ended.length).sort((a, b) => a - b);
    expect((await store.claim(id, all)).map(({ index }) => index)).toEqual(open);
    const failures = ended.filter((index) => index % 7 === 0);
    expect((await store.requeueFailed(id)).requeued).toBe(failures.length);
    await restart();
    const again = [...open, ...failures].sort((a, b) => a - b);
    expect((await store.claim(id, all)).map(({ index }) => index)).toEqual(again);
    expect((await store.complete(id, range(count).map(done))).accepted).toEqual(again);
  });

  it("[ONCE-4] verbs of one transaction share a pack; failures stand between packs", async () => {
    await store.submit(id, tasks(0, 12));
    await Promise.all([
      store.complete(id, [done(3), done(4)]),
      store.complete(id, [done(9), failed(1), done(0)]),
      store.complete(id, [done(2)]),
    ]);
    for (const after of range(7)) {
      const page = await store.results(id, after, all, Infinity);
      expect(page.map(({ index }) => index)).toEqual([3, 4, 9, 1, 0, 2].slice(after));
    }
    const packs = await rows("SELECT seq, count, failure IS NULL AS done FROM outcomePacks ORDER BY seq");
    expect(packs).toEqual([
      { seq: 1, count: 3, done: 1 },
      { seq: 4, count: 1, done: 0 },
      { seq: 5, count: 2, done: 1 },
    ]);
  });

  it("leave nothing behind when the job is deleted", async () => {
    await store.submit(id, tasks(0, 500));
    await store.complete(
      id,
      range(400).map((index) => (index === 9 ? failed(index) : done(index))),
    );
    await store.deleteJob(id);
    const left = await rows(
      `SELECT (SELECT count(*) FROM taskPacks) AS tasks, (SELECT count(*) FROM outcomePacks) AS outcomes,
         (SELECT count(*) FROM endedSets) AS sets`,
    );
    expect(left).toEqual([{ tasks: 0, outcomes: 0, sets: 0 }]);
  });
});

describe("provisional results in packs", () => {
  const keep = (number: number, indexes: readonly number[]) =>
    store.keepProvisional(
      id,
      { number, client: `c_${number}` as ClientId, cohort: "lab" },
      indexes.map((index) => output(index)),
    );

  it("[VERIFY-2] verbs of one transaction share a pack for each window", async () => {
    await store.submit(id, tasks(0, 12));
    await Promise.all([keep(1, [0, 1]), keep(2, [5]), keep(1, [7]), keep(2, [6])]);
    await keep(1, [8]);
    expect(await rows('SELECT "window", count, first FROM provisionalPacks ORDER BY number')).toEqual([
      { window: 1, count: 3, first: 0 },
      { window: 2, count: 2, first: 5 },
      { window: 1, count: 1, first: 8 },
    ]);
  });

  it("[QUOTA-1] the bytes of every job are those in its packs, whatever was done with them", async () => {
    store = await runRandomOperations(store, async () => (await restart(), store), "provisional bytes", 400);
    await keepSome();
    const counted = await rows<{ outputBytes: number; packs: number }>(
      `SELECT outputBytes,
         (SELECT coalesce(sum(coalesce(octet_length(outputs), 0) + coalesce(octet_length(failure), 0)), 0)
            FROM outcomePacks WHERE job = jobs.number)
         + (SELECT coalesce(sum(octet_length(outputs)), 0) FROM provisionalPacks WHERE job = jobs.number) AS packs
       FROM jobs`,
    );
    expect(counted.map(({ outputBytes }) => outputBytes)).toEqual(counted.map(({ packs }) => packs));
    expect(Math.max(...counted.map(({ packs }) => packs))).toBeGreaterThan(100);
  });

  /** Leaves a job with results that are provisional, and others whose tasks have an outcome. */
  async function keepSome(): Promise<void> {
    await store.createJob(newJob({ id: jobId(999) }));
    await store.submit(jobId(999), tasks(0, 9));
    const window = { number: 999, client: "c_x" as ClientId, cohort: "lab" };
    await store.keepProvisional(jobId(999), window, [output(1), output(2), output(3)]);
    await store.complete(jobId(999), [done(2)]);
    await store.withdrawProvisional(jobId(999), 999, [3]);
  }

  it("leave nothing behind when the job ends or is deleted", async () => {
    await store.createJob(newJob({ id: jobId(2) }));
    await store.submit(jobId(2), tasks(0, 1));
    await store.submit(id, tasks(0, 500));
    for (let number = 1; number < 60; number++) await keep(number, [number, number + 100]);
    const window = { number: 99, client: "c_x" as ClientId, cohort: "lab" };
    await store.keepProvisional(jobId(2), window, [output(0)]);
    await store.endJob(jobId(2), "cancelled");
    await store.deleteJob(id);
    expect(await rows("SELECT * FROM provisionalPacks")).toEqual([]);
  });
});
