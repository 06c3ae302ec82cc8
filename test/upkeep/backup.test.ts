import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BlobStore, openBlobDirectory } from "../../server/blobs/blob-store.ts";
import { openBlobs } from "../../server/blobs/open.ts";
import { BlobBucket } from "../../server/blobs/s3/bucket.ts";
import { parseS3Place } from "../../server/blobs/s3/place.ts";
import type { EmbeddedStore } from "../../server/store/sqlite/embedded-store.ts";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";
import { restore } from "../../server/upkeep/restore.ts";
import { Upkeep } from "../../server/upkeep/upkeep.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { BackupProgress } from "../../shared/wire/rest/upkeep.ts";
import {
  done,
  inputOf,
  jobId,
  newJob,
  outputOf,
  postKernel,
  task,
  tasks,
} from "../contract/store-fixtures.ts";
import { refuses } from "../contract/store-harness.ts";
import { temporaryDirectory } from "../support/processes.ts";

const id = jobId(1);
const ada = { customer: "ada" };
let root: string;
let data: string;
let target: string;
let store: EmbeddedStore;
let blobs: BlobStore;
let upkeep: Upkeep;

beforeEach(async () => {
  root = await temporaryDirectory();
  [data, target] = [join(root, "data"), join(root, "backup")];
  await open();
  await postKernel(store);
  await store.createJob(newJob());
});
afterEach(close);

async function open(directory = data): Promise<void> {
  store = await openSqliteStore(directory);
  blobs = openBlobDirectory(join(directory, "blobs"), { quotaBytes: 1e9, keepMs: 1e9, store });
  await blobs.readDamaged();
  upkeep = new Upkeep({ store, blobs, dataDirectory: directory, damagedRecords: () => 0 });
}

async function close(): Promise<void> {
  await blobs.close();
  await store.close();
}

async function put(size = 5000): Promise<{ sha256: Sha256; size: number }> {
  const bytes = randomBytes(size);
  const sha256 = sha256Hex(bytes);
  await blobs.write(sha256, Readable.from([bytes]), ada, size);
  return { sha256, size };
}

const placeOf = (directory: string, sha256: Sha256) => join(directory, "blobs", sha256.slice(0, 2), sha256);

async function blobsIn(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, "blobs"), { recursive: true });
  return names.map((name) => name.slice(3)).filter((name) => /^[0-9a-f]{64}$/.test(name));
}

describe("[BACKUP-1] a backup of a store in use", () => {
  it("is one moment of the store, whatever is written meanwhile", async () => {
    await store.submit(id, tasks(0, 20_000));
    const isOver = { now: false };
    const making = upkeep.backUp(target, {}).finally(() => (isOver.now = true));
    let next = 20_000;
    let completed = 0;
    while (!isOver.now) {
      await store.submit(id, tasks(next, next + 500));
      next += 500;
      const claimed = (await store.claim(id, 500)).map(({ index }) => index);
      await store.complete(id, claimed.map(done));
      completed += claimed.length;
    }
    expect(await making).toMatchObject({ done: true, missing: [] });
    expect(completed).toBeGreaterThan(0);
    await close();
    await restore(target, join(root, "new"));
    await open(join(root, "new"));
    const row = (await store.getJob(id))!;
    expect(row.total).toBeGreaterThanOrEqual(20_000);
    const results = await store.results(id, 0, 1e6, Infinity);
    expect(results).toHaveLength(row.done);
    for (const result of results)
      expect(result).toMatchObject({ state: "done", output: outputOf(result.index) });
    // Every task without an outcome is there to be computed, and no other.
    const ended = new Set(results.map(({ index }) => index));
    const open2 = await store.claim(id, 1e6);
    expect(open2.map(({ index }) => index)).toEqual(
      Array.from({ length: row.total }, (_, index) => index).filter((index) => !ended.has(index)),
    );
    for (const { index, input } of open2) expect(input).toEqual(inputOf(index));
    expect((await store.verifyRecords()).records).toBeGreaterThan(0);
  });

  it("[BACKUP-2] copies only new blobs the second time, and drops those that are gone", async () => {
    const [first, second] = [await put(), await put()];
    expect(await upkeep.backUp(target, {})).toMatchObject({ blobs: 2, copiedBlobs: 2, copiedBytes: 10_000 });
    const third = await put();
    await store.disownBlob(first.sha256);
    await blobs.removeUnowned(first.sha256);
    expect(await upkeep.backUp(target, {})).toMatchObject({ blobs: 2, copiedBlobs: 1, copiedBytes: 5000 });
    expect((await blobsIn(target)).toSorted()).toEqual([second.sha256, third.sha256].toSorted());
    expect((await readdir(target)).filter((name) => name.endsWith(".sqlite"))).toHaveLength(1);
    expect(await restore(target, join(root, "new"))).toMatchObject({ blobs: 2, missing: [] });
  });

  it("has every blob that its database names, also those that are deleted while it is written", async () => {
    const blob = await put();
    const onProgress = async ({ database }: BackupProgress) => {
      if (database < 1) return;
      await store.disownBlob(blob.sha256);
      await blobs.removeUnowned(blob.sha256);
    };
    await upkeep.backUp(target, { onProgress: (progress) => void onProgress(progress) });
    expect(await blobsIn(target)).toEqual([blob.sha256]);
  });

  it("leaves the backup before whole when it is ended half-way", async () => {
    await store.submit(id, [task(0)]);
    const blob = await put();
    await upkeep.backUp(target, {});
    await store.submit(id, [task(1)]);
    await put();
    const end = new AbortController();
    const onProgress = ({ database }: BackupProgress) => database === 1 && end.abort(new Error("ended"));
    await expect(upkeep.backUp(target, { signal: end.signal, onProgress })).rejects.toThrow("ended");
    await restore(target, join(root, "new"));
    await close();
    await open(join(root, "new"));
    expect(await store.getJob(id)).toMatchObject({ total: 1 });
    expect(await blobs.verify(blob.sha256)).toBe("sound");
  });

  it("says which blobs are damaged, and so missing; a restored server asks for them", async () => {
    const [sound, rotten] = [await put(), await put()];
    await store.submit(id, [task(0, { refs: [sound, rotten] })]);
    await writeFile(placeOf(data, rotten.sha256), randomBytes(5000));
    expect(await upkeep.backUp(target, {})).toMatchObject({ blobs: 1, missing: [rotten.sha256] });
    expect((await restore(target, join(root, "new"))).missing).toEqual([rotten.sha256]);
    await close();
    await open(join(root, "new"));
    expect([...blobs.damaged]).toEqual([rotten.sha256]);
    expect(await blobs.stat(rotten.sha256)).toBeUndefined();
  });

  it("[BACKUP-5] copies blobs from the directory that the server was given for them", async () => {
    await blobs.close();
    const place = join(root, "shared");
    blobs = await openBlobs(place, data, { quotaBytes: 1e9, keepMs: 1e9, store });
    upkeep = new Upkeep({ store, blobs, dataDirectory: data, damagedRecords: () => 0 });
    const blob = await put();
    await refuses("BAD_ARGUMENT", upkeep.backUp(join(place, "backup"), {}), /in that of the blobs/);
    expect(await upkeep.backUp(target, {})).toMatchObject({ blobs: 1, copiedBlobs: 1, missing: [] });
    expect(await restore(target, join(root, "new"))).toMatchObject({ blobs: 1, missing: [] });
    await close();
    await open(join(root, "new"));
    expect(await blobs.verify(blob.sha256)).toBe("sound");
  });

  it("[BACKUP-5] is refused for blobs in a bucket, with a word on what to do instead", async () => {
    const keys = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
    const bucket = new BlobBucket(parseS3Place("s3://lab/blobs", keys), join(root, "uploads"));
    const inBucket = new BlobStore(bucket, { quotaBytes: 1e9, keepMs: 1e9, store });
    const other = new Upkeep({ store, blobs: inBucket, dataDirectory: data, damagedRecords: () => 0 });
    await refuses("WRONG_STATE", other.backUp(target, {}), /S3 bucket.*the bucket's own means/);
    await expect(stat(target)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is refused where it could harm: in the data directory, among other files, by a relative path, twice at a time", async () => {
    await refuses("BAD_ARGUMENT", upkeep.backUp(join(data, "backup"), {}), /is in the data directory/);
    await refuses("BAD_ARGUMENT", upkeep.backUp(data, {}), /is in the data directory/);
    await refuses("BAD_ARGUMENT", upkeep.backUp("backup", {}), /relative/);
    await mkdir(target);
    await writeFile(join(target, "thesis.tex"), "\\documentclass{book}");
    await refuses("BAD_ARGUMENT", upkeep.backUp(target, {}), /other files/);
    const other = join(root, "other");
    const making = upkeep.backUp(other, {});
    await refuses("WRONG_STATE", upkeep.backUp(other, {}), /one at a time/);
    await making;
  });
});

describe("[BACKUP-3] restoring", () => {
  it("refuses a damaged database and a directory with files; a damaged blob is missing", async () => {
    const blob = await put();
    await upkeep.backUp(target, {});
    await mkdir(join(root, "full"));
    await writeFile(join(root, "full", "x"), "");
    await refuses("BAD_ARGUMENT", restore(target, join(root, "full")), /new or empty/);
    await refuses("DATA_DIRECTORY", restore(data, join(root, "new")), /is no backup/);

    await writeFile(placeOf(target, blob.sha256), randomBytes(5000));
    expect(await restore(target, join(root, "new"))).toMatchObject({ blobs: 0, missing: [blob.sha256] });

    const name = (await readdir(target)).find((each) => each.endsWith(".sqlite"))!;
    const bytes = await readFile(join(target, name));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(join(target, name), bytes);
    await refuses(
      "DATA_DIRECTORY",
      restore(target, join(root, "newer")),
      /sqlite in the backup .* is damaged/,
    );
    expect(await readdir(join(root, "newer"))).not.toContain("manyhands.sqlite");
    await rm(join(root, "newer"), { recursive: true });
  });
});
