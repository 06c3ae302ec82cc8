import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashColumn } from "../../server/store/sql/columns.ts";
import { SqliteDatabase } from "../../server/store/sqlite/database.ts";
import { databaseName, openSqliteStore } from "../../server/store/sqlite/open.ts";
import { migrate } from "../../server/store/sqlite/schema.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { Store } from "../../server/store/store.ts";
import {
  blob,
  done,
  failed,
  failure,
  inputOf,
  jobId,
  newJob,
  output,
  outputOf,
  postKernel,
  sha256,
  task,
  tasks,
} from "../contract/store-fixtures.ts";

let directory: string;
let old: SqliteDatabase;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "manyhands-versions-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** Makes the directory of an earlier version, by its own migrations. */
function openOld(version: number): void {
  const connection = new DatabaseSync(join(directory, databaseName));
  connection.exec("PRAGMA journal_mode = WAL");
  old = new SqliteDatabase(connection);
  migrate(old, directory, version);
}

interface OldJob {
  readonly number: number;
  readonly state: string;
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  readonly lastSeq: number;
  readonly lowWater: number;
  readonly after?: JobId[];
}

function addJob({ number, state, total, done, failed, lastSeq, lowWater, after }: OldJob): void {
  const changes = { id: jobId(number), ...(after && { after }) };
  const { customer, kernel, priority, createdAt, ...options } = newJob(changes);
  old.run(
    `INSERT INTO jobs (number, id, customer, kernel, kernelSize, options, priority, createdAt, state, total, done, failed,
       lastSeq, lowWater) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    number,
    jobId(number),
    customer,
    hashColumn(kernel.sha256),
    kernel.size,
    JSON.stringify(options),
    priority,
    createdAt,
    state,
    total,
    done,
    failed,
    lastSeq,
    lowWater,
  );
}

function addTask(
  job: number,
  index: number,
  input: Uint8Array | string = inputOf(index),
  refs: string | null = null,
): void {
  old.run("INSERT INTO tasks (job, idx, input, refs) VALUES (?, ?, ?, ?)", job, index, input, refs);
}

/** Adds an outcome with the task's own output, another output, or (undefined) a failure. */
function addOutcome(
  job: number,
  seq: number,
  index: number,
  output?: Uint8Array | string,
  refs: string | null = null,
): void {
  old.run(
    "INSERT INTO outcomes (job, seq, idx, output, refs, failure) VALUES (?, ?, ?, ?, ?, ?)",
    job,
    seq,
    index,
    output ?? null,
    refs,
    output === undefined ? JSON.stringify(failure(index)) : null,
  );
}

async function opened<T>(use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openSqliteStore(directory);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

const nameOf = (text: string) => `${blob(text).sha256}:${blob(text).size}`;

describe("a directory of an earlier version opens and keeps its jobs", () => {
  it("version 1: no groups, nothing that waits", async () => {
    openOld(1);
    addJob({ number: 1, state: "open", total: 3, done: 0, failed: 0, lastSeq: 0, lowWater: 0 });
    for (const index of [0, 1, 2]) addTask(1, index);
    old.close();
    await opened(async (store) => {
      expect(await store.getJob(jobId(1))).toMatchObject({ total: 3, waitingFor: [] });
      await postKernel(store);
      const { job } = await store.createJob(newJob({ id: jobId(2), after: [jobId(1)], group: "g" }));
      expect(job.waitingFor).toEqual([jobId(1)]);
      expect((await store.claim(jobId(1), 9)).map(({ index }) => index)).toEqual([0, 1, 2]);
    });
  });

  it("version 2: a row a task and an outcome become packs", async () => {
    const count = 3000;
    openOld(2);
    addJob({
      number: 1,
      state: "closed",
      total: count,
      done: count - 3,
      failed: 2,
      lastSeq: count,
      lowWater: 5,
    });
    for (let index = 0; index < count; index++) addTask(1, index);
    // Task 5 is open. The others ended in descending order; sequence number 7 is missing, because its failure was requeued.
    let seq = 0;
    for (let index = count - 1; index >= 0; index--) {
      if (index === 5) continue;
      if (++seq === 7) seq++;
      addOutcome(1, seq, index, index === 10 || index === 2000 ? undefined : outputOf(index));
    }
    old.close();
    await opened(async (store) => {
      const id = jobId(1);
      const results = await store.results(id, 0, count, Infinity);
      const order = [...Array(count).keys()].reverse().filter((index) => index !== 5);
      expect(results).toEqual(
        order.map((index, at) => ({
          ...(index === 10 || index === 2000 ? failed(index) : done(index)),
          seq: at + 1 + (at >= 6 ? 1 : 0),
        })),
      );
      expect(await store.failures(id, 9)).toEqual([failure(2000), failure(10)]);
      expect(await store.submit(id, tasks(0, count))).toMatchObject({ added: 0, repeated: count });
      expect(await store.complete(id, [done(0), done(10)])).toMatchObject({ dropped: [0, 10] });
      expect(await store.claim(id, 9)).toMatchObject([{ index: 5, input: inputOf(5) }]);
      expect((await store.requeueFailed(id)).requeued).toBe(2);
      expect((await store.claim(id, 9)).map(({ index }) => index)).toEqual([10, 2000]);
      const ended = await store.complete(id, [done(5), done(10), done(2000)]);
      expect(ended.job).toMatchObject({ state: "finished", done: count, lastSeq: count + 3 });
    });
  });

  it("version 2: blobs, references, gaps, attempts, checkpoints, and a deletion under way", async () => {
    openOld(2);
    for (const [job, lastSeq] of [
      [1, 1],
      [2, 0],
      [3, 0],
    ] as const)
      addJob({ number: job, state: "open", total: 3, done: lastSeq, failed: 0, lastSeq, lowWater: 0 });
    for (const text of ["input", "ref", "output"])
      old.run(
        "INSERT INTO blobs (sha256, size, touchedAt) VALUES (?, ?, 1)",
        hashColumn(blob(text).sha256),
        blob(text).size,
      );
    addTask(1, 0, nameOf("input"), `${nameOf("ref")} ${nameOf("output")}`);
    addTask(1, 1, new Uint8Array());
    addTask(1, 2 ** 40, inputOf(3), nameOf("ref"));
    addOutcome(1, 1, 1, nameOf("output"), nameOf("ref"));
    old.run("INSERT INTO attempts (job, idx, attempts) VALUES (1, 0, 2)");
    old.run("INSERT INTO checkpoints (job, idx, state) VALUES (1, 0, ?)", inputOf(9));
    for (const index of [3, 5, 7]) addTask(2, index);
    old.run("DELETE FROM jobs WHERE number = 3");
    old.run("INSERT INTO forgottenJobs (number) VALUES (3)");
    addTask(3, 0);
    old.close();
    await opened(async (store) => {
      const plain = { attempts: 0, checkpoint: undefined };
      expect(await store.claim(jobId(1), 9)).toEqual([
        {
          index: 0,
          input: blob("input"),
          refs: [blob("ref"), blob("output")],
          attempts: 2,
          checkpoint: inputOf(9),
        },
        { ...task(2 ** 40, { input: inputOf(3), refs: [blob("ref")] }), ...plain },
      ]);
      expect(await store.results(jobId(1), 0, 9, Infinity)).toEqual([
        { seq: 1, index: 1, state: "done", output: blob("output"), refs: [blob("ref")] },
      ]);
      expect(await store.claim(jobId(2), 9)).toEqual(
        [3, 5, 7].map((index) => ({ ...task(index), ...plain })),
      );
      expect(await store.getJob(jobId(3))).toBeUndefined();
    });
    const connection = new DatabaseSync(join(directory, databaseName));
    expect(connection.prepare("SELECT DISTINCT job FROM taskPacks").all()).toEqual([{ job: 1 }, { job: 2 }]);
    connection.close();
  });

  it("version 3: a blocked job goes on once what blocks it is done", async () => {
    openOld(3);
    const none = { done: 0, failed: 0, lastSeq: 0, lowWater: 0 };
    addJob({ ...none, number: 1, state: "quarantined", total: 0 });
    addJob({ ...none, number: 2, state: "blocked", total: 0, after: [jobId(1)] });
    old.close();
    await opened(async (store) => {
      await store.requeueFailed(jobId(1));
      expect((await store.getJob(jobId(2)))?.state).toBe("finished");
    });
  });

  it("version 4: blobs and kernels of jobs belong to their customers, and usage is counted", async () => {
    openOld(4);
    const none = { state: "open", done: 0, failed: 0, lastSeq: 0, lowWater: 0 };
    addJob({ ...none, number: 1, total: 2, failed: 1, lastSeq: 1 });
    addJob({ ...none, number: 2, total: 0 });
    for (const text of ["input", "loose"])
      old.run("INSERT INTO blobs VALUES (?, ?, 1)", hashColumn(sha256(text)), text.length);
    const { kernel } = newJob();
    for (const [name, size] of [
      [kernel.sha256, kernel.size],
      [sha256("unused"), 6],
    ] as const)
      old.run("INSERT INTO kernels VALUES (?, ?, ?)", hashColumn(name), size, new Uint8Array(size));
    for (const job of [1, 2])
      for (const name of [sha256("input"), kernel.sha256])
        old.run("INSERT INTO blobRefs VALUES (?, ?)", job, hashColumn(name));
    const inputs = Buffer.concat([inputOf(0), inputOf(1)]);
    old.run("INSERT INTO taskPacks (job, first, count, inputs) VALUES (1, 0, 2, ?)", inputs);
    const text = JSON.stringify({ ...failure(0), message: "é" });
    old.run("INSERT INTO outcomePacks (job, seq, count, first, failure) VALUES (1, 1, 1, 0, ?)", text);
    old.close();
    await opened(async (store) => {
      const counts = {
        inputBytes: inputs.length,
        outputBytes: Buffer.byteLength(text),
        kernelBytes: kernel.size,
        kernels: 1,
        jobs: 2,
        openTasks: 1,
      };
      expect(await store.usage("ada")).toEqual({ ...counts, blobBytes: 5 });
      expect(await store.getBlob(sha256("input"), { customer: "ada" })).toEqual(blob("input"));
      expect(await store.getBlob(sha256("loose"), { customer: "ada" })).toBeUndefined();
      expect(await store.listKernels("ada")).toEqual([kernel]);
      await store.deleteJob(jobId(1));
      expect(await store.usage("ada")).toMatchObject({ blobBytes: 5, jobs: 1, openTasks: 0, inputBytes: 0 });
      await store.deleteJob(jobId(2));
      expect(await store.usage("ada")).toMatchObject({ blobBytes: 0, jobs: 0 });
      expect(await store.deleteKernel(kernel.sha256, "ada")).toBe(true);
      expect(await store.usages()).toEqual([]);
    });
  });

  it("version 5: results of strangers for a job are taken as they come, and its key stands for any verification", async () => {
    openOld(5);
    const { kernel } = newJob();
    old.run("INSERT INTO kernels VALUES (?, ?, ?, 1)", hashColumn(kernel.sha256), kernel.size, inputOf(0));
    old.run("INSERT INTO kernelOwners VALUES (?, 'ada')", hashColumn(kernel.sha256));
    addJob({ number: 1, state: "open", total: 2, done: 0, failed: 0, lastSeq: 0, lowWater: 0 });
    old.run("UPDATE jobs SET key = 'k', options = json_remove(options, '$.verify', '$.compare', '$.check')");
    const inputs = Buffer.concat([inputOf(0), inputOf(1)]);
    old.run(
      "INSERT INTO taskPacks (job, first, count, sizes, inputs) VALUES (1, 0, 2, ?, ?)",
      new Uint8Array([inputOf(0).length, inputOf(1).length]),
      inputs,
    );
    old.run("INSERT INTO checkpoints (job, idx, state) VALUES (1, 0, ?)", inputOf(9));
    old.close();
    await opened(async (store) => {
      const asBefore = { verify: "off", compare: "bits", check: false, provisional: 0 };
      expect(await store.getJob(jobId(1))).toMatchObject({ ...asBefore, statement: { strangers: 0 } });
      for (const verify of ["audit", "trusted"] as const)
        expect(await store.createJob(newJob({ key: "k", id: jobId(2), verify }))).toMatchObject({
          created: false,
          job: asBefore,
        });
      expect(await store.claim(jobId(1), 9)).toMatchObject([
        { index: 0, checkpoint: inputOf(9), checkpointBy: undefined },
        { index: 1 },
      ]);
      const window = { number: 1, client: "c_x" as ClientId, cohort: "lab" };
      await store.keepProvisional(jobId(1), window, [output(1)]);
    });
    await opened(async (store) => {
      expect(await store.acceptProvisional(jobId(1), 1, [1])).toMatchObject({ accepted: [1] });
    });
  });

  it("version 7: packs without checksums are read as they are, and new ones have checksums", async () => {
    openOld(7);
    for (const table of ["taskPacks", "outcomePacks"])
      for (const column of ["crc", "headCrc"]) old.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`);
    addJob({ number: 1, state: "open", total: 2, done: 1, failed: 0, lastSeq: 1, lowWater: 0 });
    old.run(
      "INSERT INTO taskPacks (job, first, count, inputs) VALUES (1, 0, 1, ?), (1, 1, 1, ?)",
      ...[0, 1].map(inputOf),
    );
    old.run("INSERT INTO outcomePacks (job, seq, count, first, outputs) VALUES (1, 1, 1, 1, ?)", outputOf(1));
    old.close();
    await opened(async (store) => {
      expect(await store.claim(jobId(1), 9)).toMatchObject([{ index: 0, input: inputOf(0) }]);
      await store.complete(jobId(1), [done(0)]);
      expect(await store.results(jobId(1), 0, 9, 1e9)).toMatchObject([done(1), done(0)]);
    });
    const connection = new DatabaseSync(join(directory, databaseName));
    const rows = connection.prepare("SELECT first, crc IS NULL AS old FROM outcomePacks ORDER BY seq").all();
    connection.close();
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { first: 1, old: 1 },
      { first: 0, old: 0 },
    ]);
  });
});
