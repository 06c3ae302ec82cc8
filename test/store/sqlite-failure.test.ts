import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClientId } from "../../shared/ids.ts";
import { noQuotas } from "../../server/store/quotas.ts";
import { SqliteDatabase } from "../../server/store/sqlite/database.ts";
import { migrate } from "../../server/store/sqlite/schema.ts";
import { SqliteStore } from "../../server/store/sqlite/sqlite-store.ts";
import {
  blob,
  done,
  inputOf,
  jobId,
  newJob,
  output,
  postKernel,
  task,
  tasks,
} from "../contract/store-fixtures.ts";

const id = jobId(1);
const megabyte = new Uint8Array(2 ** 20);
let directory: string;
let connection: DatabaseSync;
let store: SqliteStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "manyhands-failure-"));
  connection = new DatabaseSync(join(directory, "store.sqlite"));
  connection.exec("PRAGMA journal_mode = WAL");
  const db = new SqliteDatabase(connection);
  migrate(db, directory);
  store = new SqliteStore(db, { clock: Date.now, markEvery: 1, quotas: noQuotas });
  await postKernel(store);
  await store.createJob(newJob());
  await store.submit(id, tasks(0, 10));
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

/** Beyond this number of pages SQLite refuses with the same SQLITE_FULL as on a full disk. */
function limitPages(pages: number): void {
  connection.exec(`PRAGMA max_page_count = ${pages}`);
}

describe("[DUR-2] [DUR-3] a commit that fails changes nothing and harms nothing that comes after", () => {
  it("on a full disk every verb of the commit is refused, and the store goes on", async () => {
    limitPages(100);
    const claimed = await store.claim(id, 5);
    const verbs = await Promise.allSettled([
      store.complete(id, [done(0)]),
      store.setPaused(id, true),
      store.submit(id, [task(50, { input: megabyte })]),
    ]);
    const full = { status: "rejected", reason: { code: "STORE_FULL" } };
    expect(verbs).toMatchObject([full, full, full]);
    expect(await store.getJob(id)).toMatchObject({ total: 10, done: 0, lastSeq: 0, paused: false });

    // Claimed tasks stay claimed, and the same outcome is taken later.
    expect((await store.claim(id, 1))[0]?.index).toBe(claimed.length);
    expect(await store.complete(id, [done(0)])).toMatchObject({ accepted: [0], job: { lastSeq: 1 } });
    limitPages(1_000_000);
    expect(await store.submit(id, [task(50, { input: megabyte })])).toMatchObject({ added: 1, total: 11 });
  });

  it("[CLAIM-2] [DATA-4] [QUOTA-1] the changes of a refused commit do not come with the next", async () => {
    expect(await store.blobUsage()).toEqual({ count: 0, bytes: 0 });
    const usage = await store.usage("ada");
    await store.claim(id, 5);
    limitPages(100);
    const verbs = await Promise.allSettled([
      store.complete(id, [done(0)]),
      store.touchBlob(blob("bytes"), { customer: "ada" }),
      store.submit(id, [task(50, { input: megabyte })]),
    ]);
    expect(verbs.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    limitPages(1_000_000);
    await store.setPaused(id, true);

    // A missing blob is not counted, and the claim that the outcome would have ended can be given back.
    expect(await store.blobUsage()).toEqual({ count: 0, bytes: 0 });
    expect(await store.usage("ada")).toEqual(usage);
    await store.unclaim(id, [0]);
    expect((await store.claim(id, 1)).map(({ index }) => index)).toEqual([0]);
  });

  it("[VERIFY-2] provisional results of a refused commit are neither kept, accepted nor withdrawn", async () => {
    const window = (number: number) => ({ number, client: "c_x" as ClientId, cohort: "lab" });
    await store.claim(id, 10);
    await store.keepProvisional(id, window(1), [output(0), output(1)]);
    const before = [await store.getJob(id), await store.listWindows(), await store.usage("ada")];
    limitPages(100);
    const verbs = await Promise.allSettled([
      store.keepProvisional(id, window(2), [output(0), output(2)]),
      store.acceptProvisional(id, 1, [1]),
      store.submit(id, [task(50, { input: megabyte })]),
    ]);
    expect(verbs.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    limitPages(1_000_000);
    expect([await store.getJob(id), await store.listWindows(), await store.usage("ada")]).toEqual(before);
    await store.unclaim(id, [0, 1, 2]);
    expect((await store.claim(id, 10)).map(({ index }) => index)).toEqual([2]);
    expect(await store.withdrawProvisional(id, 1, [0])).toMatchObject({
      reopened: [0],
      job: { provisional: 1 },
    });
    expect(await store.acceptProvisional(id, 1, [1])).toMatchObject({ accepted: [1], job: { lastSeq: 1 } });
  });

  it("[VERIFY-2] a task is open again although the first commit that withdraws its result was refused", async () => {
    await store.claim(id, 10);
    await store.keepProvisional(id, { number: 1, client: "c_x" as ClientId, cohort: "lab" }, [output(0)]);
    limitPages(100);
    await expect(
      Promise.all([store.withdrawProvisional(id, 1), store.submit(id, [task(50, { input: megabyte })])]),
    ).rejects.toMatchObject({ code: "STORE_FULL" });
    limitPages(1_000_000);
    expect(await store.withdrawProvisional(id, 1)).toMatchObject({ reopened: [0], job: { provisional: 0 } });
    expect((await store.claim(id, 10)).map(({ index }) => index)).toEqual([0]);
  });

  it("[CLAIM-2] a claim whose tasks cannot be read claims none of them", async () => {
    await store.submit(id, tasks(10, 20));
    await store.claim(id, 3);
    await store.unclaim(id, [1]);
    connection.exec("ALTER TABLE taskPacks RENAME COLUMN inputs TO gone");
    await expect(store.claim(id, 100)).rejects.toThrow();
    connection.exec("ALTER TABLE taskPacks RENAME COLUMN gone TO inputs");
    const open = Array.from({ length: 20 }, (_, index) => index).filter(
      (index) => index !== 0 && index !== 2,
    );
    expect((await store.claim(id, 100)).map(({ index }) => index)).toEqual(open);
  });

  it("deleting a job makes room on a full disk", async () => {
    await store.createJob(newJob({ id: jobId(2) }));
    await store.submit(jobId(2), [task(0, { input: megabyte })]);
    const { page_count: pages } = connection.prepare("PRAGMA page_count").get() as { page_count: number };
    limitPages(pages + 5);
    await expect(store.submit(id, [task(50, { input: megabyte })])).rejects.toMatchObject({
      code: "STORE_FULL",
    });
    await store.deleteJob(jobId(2));
    expect(await store.submit(id, [task(50, { input: megabyte })])).toMatchObject({ added: 1 });
  });

  it("when the database turns read-only the refusal says so", async () => {
    connection.exec("PRAGMA query_only = ON");
    await expect(store.complete(id, [done(0)])).rejects.toMatchObject({
      code: "STORE_FULL",
      message: expect.stringMatching(/read-only/) as string,
    });
    expect(await store.results(id, 0, 10, Infinity)).toEqual([]);
    connection.exec("PRAGMA query_only = OFF");
    expect(await store.complete(id, [done(0)])).toMatchObject({ accepted: [0] });
  });

  it("[DUR-3] a verb that breaks half way takes back its own writes and no others", async () => {
    const verbs = await Promise.allSettled([
      store.complete(id, [done(0)]),
      // SQLite takes no such index, so the verb fails at the third row, after two were written.
      store.submit(id, [task(20), task(21), task(22.5)]),
      store.complete(id, [done(1)]),
    ]);
    expect(verbs.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await store.getJob(id)).toMatchObject({ total: 10, done: 2, lastSeq: 2 });
    expect(await store.submit(id, [task(20)])).toMatchObject({ added: 1, total: 11 });
  });

  it("verbs of many turns each get their own commit in order", async () => {
    const order: number[] = [];
    const verbs = Array.from({ length: 2000 }, (_, k) =>
      store.submit(id, [task(100 + k, { input: inputOf(k) })]).then(() => order.push(k)),
    );
    await Promise.all(verbs);
    expect(order).toEqual(Array.from({ length: 2000 }, (_, k) => k));
  });
});

it("goes on with a deletion that was cut short", async () => {
  await store.submit(id, tasks(10, 3000));
  const deletion = store.deleteJob(id).catch((error: unknown) => error);
  await store.getJob(id);
  // The first commit removes the job; closing interrupts the sweeps.
  await store.close();
  expect(await deletion).toMatchObject({ code: "SHUTTING_DOWN" });
  connection = new DatabaseSync(join(directory, "store.sqlite"));
  store = new SqliteStore(new SqliteDatabase(connection), {
    clock: Date.now,
    markEvery: 1,
    quotas: noQuotas,
  });
  expect(await store.getJob(id)).toBeUndefined();
  const rows = () =>
    (
      connection
        .prepare("SELECT count(*) + (SELECT count(*) FROM forgottenJobs) AS n FROM taskPacks")
        .get() as { n: number }
    ).n;
  await expect.poll(rows).toBe(0);
});
