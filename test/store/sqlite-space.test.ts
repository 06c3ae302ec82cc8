import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { databaseName, openSqliteStore } from "../../server/store/sqlite/open.ts";
import { compact } from "../../server/upkeep/compact.ts";
import { inputOf, jobId, newJob, postKernel, task } from "../contract/store-fixtures.ts";
import { temporaryDirectory } from "../support/processes.ts";

const [id, other] = [jobId(1), jobId(2)];
const mebibyte = 1024 ** 2;
const input = new Uint8Array(100_000).fill(7);
const large = (count: number) => Array.from({ length: count }, (_, index) => task(index, { input }));

test("[KEEP-2] space of a deleted job goes back to the file system while the store is in use", async () => {
  const directory = await temporaryDirectory();
  const size = async () => (await stat(join(directory, databaseName))).size;
  const store = await openSqliteStore(directory);
  await postKernel(store);
  await store.createJob(newJob());
  await store.createJob(newJob({ id: other }));
  for (let at = 0; at < 400; at += 50) await store.submit(id, large(at + 50).slice(at));
  await store.submit(other, [task(0)]);
  await expect.poll(size).toBeGreaterThan(25 * mebibyte);
  await store.deleteJob(id);
  await expect.poll(size, { timeout: 60_000 }).toBeLessThan(12 * mebibyte);
  expect(await store.claim(other, 1)).toMatchObject([{ index: 0, input: inputOf(0) }]);
  await store.close();
});

test("[KEEP-2] compact makes the database of an earlier version over, which gives space back from then on", async () => {
  const directory = await temporaryDirectory();
  let store = await openSqliteStore(directory);
  await postKernel(store);
  await store.createJob(newJob());
  await store.submit(id, large(200));
  await store.close();
  // As an earlier version made it.
  const database = new DatabaseSync(join(directory, databaseName));
  database.exec("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM");
  database.close();
  store = await openSqliteStore(directory);
  await store.deleteJob(id);
  await store.close();
  const { before, after } = compact(directory);
  expect(before).toBeGreaterThan(19 * mebibyte);
  expect(after).toBeLessThan(mebibyte);
  store = await openSqliteStore(directory);
  await store.createJob(newJob({ id: other }));
  await store.submit(other, large(300));
  await store.deleteJob(other);
  await expect
    .poll(async () => (await stat(join(directory, databaseName))).size, { timeout: 60_000 })
    .toBeLessThan(12 * mebibyte);
  await store.close();
});
