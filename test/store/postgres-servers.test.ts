import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { ClientId } from "../../shared/ids.ts";
import { Connection } from "../../server/store/postgres/connection.ts";
import { openPostgresStore } from "../../server/store/postgres/open.ts";
import { migrate, schemaVersion } from "../../server/store/postgres/schema.ts";
import type { News, SharedStore } from "../../server/store/shared-store.ts";
import { done, failed, jobId, newJob, output, postKernel, tasks } from "../contract/store-fixtures.ts";
import { refuses } from "../contract/store-harness.ts";
import { eventually } from "../support/eventually.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";

const id = jobId(1);
const all = 1_000_000;
const timeToLiveMs = 1000;

describe.runIf(hasPostgres)(`several servers on PostgreSQL${whyNoPostgres}`, () => {
  let postgres: Postgres;
  let url: string;
  let schema: string;
  let stores: SharedStore[];
  let a: SharedStore;
  let b: SharedStore;

  beforeAll(async () => {
    postgres = await Postgres.start();
  }, 60_000);
  afterAll(() => postgres.stop());

  const open = async (options: Parameters<typeof openPostgresStore>[1] = {}) => {
    const store = await openPostgresStore(url, { timeToLiveMs, ...options });
    stores.push(store);
    return store;
  };
  beforeEach(async () => {
    stores = [];
    url = await postgres.newSchema();
    schema = /search_path%3D(\w+)/.exec(url)![1]!;
    a = await open({ name: "a" });
    b = await open({ name: "b" });
    await postKernel(a);
    await a.createJob(newJob());
    await a.submit(id, tasks(0, 10));
    // The two servers know of each other.
    await eventually(async () => expect((await a.servers()).filter(({ live }) => live)).toHaveLength(2));
  });
  afterEach(() => Promise.all(stores.map((store) => store.close())));

  const claimed = async (store: SharedStore, limit: number) =>
    (await store.claim(id, limit)).map(({ index }) => index);

  /** Lets a server be declared dead, as its silence would. */
  const kill = (name: string) =>
    postgres.query(
      `UPDATE ${schema}.servers SET expires = clock_timestamp() - interval '1 s', buried = true WHERE name = '${name}'`,
    );

  it("[SERVERS-6] a server tells of what it changes from the moment that another one joins", async () => {
    await a.close();
    await b.close();
    // The next renewal, by which a server would find the other server, is long after this test.
    const alone = await open({ name: "alone", timeToLiveMs: 600_000 });
    const joined = await open({ name: "joined", timeToLiveMs: 600_000 });
    const heard: News[] = [];
    joined.onNews((news) => heard.push(news));
    let priority = 0;
    await eventually(async () => {
      // Each try changes something: the first may come before the other server's notification.
      await alone.setPriority(id, ++priority);
      expect(heard.flatMap(({ jobs }) => jobs).map((job) => job.id)).toContain(id);
    });
  });

  it("[SHARED-1] [SHARED-2] claims of two servers exclude each other, whoever submits and gives back", async () => {
    expect(await claimed(a, 3)).toEqual([0, 1, 2]);
    expect(await claimed(b, 3)).toEqual([3, 4, 5]);
    expect(await claimed(a, 3)).toEqual([6, 7, 8]);
    await a.unclaim(id, [1, 7]);
    await b.submit(id, tasks(10, 12));
    expect(await claimed(b, 2)).toEqual([1, 7]);
    expect(await claimed(a, all)).toEqual([9, 10, 11]);
    expect(await claimed(b, all)).toEqual([]);
  });

  it("[SHARED-1] [CLAIM-1] two servers that claim at once get every task once", async () => {
    await a.submit(id, tasks(10, 2000));
    const got: number[] = [];
    const drain = async (store: SharedStore) => {
      for (let some; (some = await claimed(store, 37)).length > 0;) got.push(...some);
    };
    await Promise.all([drain(a), drain(b), drain(a), drain(b)]);
    expect(got.sort((x, y) => x - y)).toEqual(Array.from({ length: 2000 }, (_, k) => k));
  });

  it("[SHARED-1] [ONCE-1] takes the result of a task that another server claimed, once", async () => {
    await claimed(a, 5);
    expect(await b.complete(id, [done(0), failed(1)])).toMatchObject({ accepted: [0, 1] });
    expect(await a.complete(id, [done(0), done(1), done(2)])).toMatchObject({
      accepted: [2],
      dropped: [0, 1],
      job: { done: 2, failed: 1, lastSeq: 3 },
    });
    const both = await Promise.all([a, b, a, b].map((store) => store.complete(id, [done(3), done(4)])));
    expect(both.flatMap(({ accepted }) => accepted).toSorted((x, y) => x - y)).toEqual([3, 4]);
    expect((await b.results(id, 0, all, Infinity)).map(({ seq, index }) => [seq, index])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, expect.any(Number)],
      [5, expect.any(Number)],
    ]);
    expect(await b.requeueFailed(id)).toMatchObject({ requeued: 1 });
    expect(await claimed(a, 1)).toEqual([1]);
  });

  it("[SHARED-1] many results through both servers end every task once", async () => {
    const count = 3000;
    await a.submit(id, tasks(10, count));
    await a.closeJob(id);
    const accepted: number[] = [];
    const work = async (store: SharedStore) => {
      for (let some; (some = await claimed(store, 50)).length > 0;) {
        const answers = await Promise.all(
          [store, store === a ? b : a].map((one) => one.complete(id, some.map(done))),
        );
        accepted.push(...answers.flatMap((answer) => answer.accepted));
      }
    };
    await Promise.all([work(a), work(b)]);
    expect(accepted.sort((x, y) => x - y)).toEqual(Array.from({ length: count }, (_, k) => k));
    expect(await b.getJob(id)).toMatchObject({ state: "finished", done: count, lastSeq: count });
    expect((await a.results(id, 0, all, Infinity)).map(({ seq }) => seq)).toEqual(
      Array.from({ length: count }, (_, k) => k + 1),
    );
  });

  it("[SHARED-1] a job is made once a key by two servers at once, and ends for both", async () => {
    const made = await Promise.all(
      [a, b, a, b].map((store, k) => store.createJob(newJob({ id: jobId(10 + k), key: "k" }))),
    );
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(made.map(({ job }) => job.id)).size).toBe(1);
    await claimed(a, 2);
    await b.setPaused(id, true);
    expect(await a.getJob(id)).toMatchObject({ paused: true });
    expect((await b.endJob(id, "cancelled")).state).toBe("cancelled");
    expect(await a.complete(id, [done(0)])).toMatchObject({ accepted: [], dropped: [0] });
    await b.deleteJob(id);
    await refuses("NOT_FOUND", a.submit(id, tasks(0, 1)));
  });

  it("[SHARED-2] claims of a server that ended, or died, return, and the others are told", async () => {
    const news: News[] = [];
    b.onNews((heard) => news.push(heard));
    expect(await claimed(a, 4)).toEqual([0, 1, 2, 3]);
    await a.complete(id, [done(1)]);
    // The submission of the tasks was told before their outcomes.
    await eventually(() =>
      expect(news.flatMap(({ jobs }) => jobs.flatMap(({ kinds }) => kinds))).toContain("outcomes"),
    );
    news.length = 0;
    await a.close();
    // Polling tells of all kinds of changes; of tasks alone tells who found a server dead.
    await eventually(() => expect(news.flatMap(({ jobs }) => jobs)).toContainEqual({ id, kinds: ["tasks"] }));
    expect(await claimed(b, 4)).toEqual([0, 2, 3, 4]);
  });

  it("[SHARED-2] provisional results keep their tasks claimed when the server dies", async () => {
    await claimed(a, 3);
    await a.keepProvisional(id, { number: 7, client: "c_x" as ClientId, cohort: "lab" }, [output(1)]);
    await a.close();
    await eventually(async () => expect(await claimed(b, 2)).toEqual([0, 2]));
    await b.withdrawProvisional(id, 7);
    expect(await claimed(b, 1)).toEqual([1]);
  });

  it("[SHARED-3] a server that was declared dead writes nothing, says so, and goes on as a new one", async () => {
    let fenced = 0;
    await a.close();
    // A server that renews its life seldom does not notice its death before it writes.
    a = await open({ name: "a", timeToLiveMs: 600_000 });
    a.onFenced(() => fenced++);
    await a.introduce("a", ["http://a.example"]);
    expect(await claimed(a, 4)).toEqual([0, 1, 2, 3]);
    await kill("a");
    await refuses("STORE_FAILED", a.complete(id, [done(0)]), /took it for dead/);
    expect(fenced).toBe(1);
    expect(await b.results(id, 0, all, Infinity)).toEqual([]);
    await eventually(async () => expect(await claimed(b, 2)).toEqual([0, 1]));
    expect(await a.complete(id, [done(0), done(3)])).toMatchObject({ accepted: [0, 3] });
    expect(await claimed(a, 2)).toEqual([2, 4]);
    expect((await b.servers()).filter(({ live }) => live)).toMatchObject([
      { name: "b", urls: [] },
      { name: "a", urls: ["http://a.example"] },
    ]);
  });

  it("[SHARED-2] [SHARED-3] a process that is stopped past its time loses its claims, and what it writes then does not count", async () => {
    const holder = spawn(
      process.execPath,
      [join(import.meta.dirname, "postgres-holder.ts"), url, `${timeToLiveMs}`],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    onTestFinished(() => void holder.kill("SIGKILL"));
    const said: string[] = [];
    createInterface(holder.stdout).on("line", (line) => said.push(line));
    await eventually(() => expect(said).toEqual(["claimed 0 1 2"]));
    holder.kill("SIGSTOP");
    // A verb that waits in the process while it is stopped.
    holder.stdin.write("0\n");
    const stopped = performance.now();
    await eventually(async () => expect(await claimed(b, 1)).toEqual([0]));
    expect(performance.now() - stopped).toBeLessThan(10 * timeToLiveMs);
    holder.kill("SIGCONT");
    await eventually(() => expect(said.slice(1).toSorted()).toEqual(["STORE_FAILED", "fenced"]));
    expect(await b.results(id, 0, all, Infinity)).toEqual([]);
    holder.stdin.write("1\n");
    await eventually(() => expect(said.at(-1)).toBe("accepted 1"));
    expect(await b.complete(id, [done(0), done(1)])).toMatchObject({ accepted: [0], dropped: [1] });
  });

  it("[SHARED-3] an idle server that was declared dead notices by itself", async () => {
    const told = new Promise<void>((resolve) => a.onFenced(resolve));
    await claimed(a, 4);
    await kill("a");
    await told;
    await eventually(async () => expect(await claimed(b, 1)).toEqual([0]));
    expect(await claimed(a, 1)).toEqual([1]);
  });

  it("[UPGRADE-4] [SHARED-3] a newer version migrates under load: the others write nothing more, say why, and cannot come back", async () => {
    let submitted = 10;
    const done = { count: 0, refusal: undefined as unknown };
    const submitOn = async (): Promise<void> => {
      for (;;) {
        await a.submit(id, tasks(submitted, submitted + 50));
        submitted += 50;
        done.count++;
      }
    };
    const busy = submitOn().catch((error: unknown) => (done.refusal = error));
    const claiming = (async () => {
      for (;;) await claimed(b, 5);
    })().catch((error: unknown) => error);
    await eventually(() => expect(done.count).toBeGreaterThan(20));
    const connection = await Connection.open({ url, settings: {} });
    try {
      await migrate(connection, [
        "ALTER TABLE jobs ADD COLUMN later INTEGER; ALTER TABLE servers ADD COLUMN later INTEGER",
      ]);
    } finally {
      await connection.close();
    }
    for (const store of [a, b])
      expect(await store.outdated).toMatchObject({
        code: "DATA_DIRECTORY",
        message: expect.stringContaining(`version ${schemaVersion + 1}`),
      });
    for (const error of [await busy, await claiming]) expect(error).toMatchObject({ code: "STORE_FAILED" });
    await refuses("STORE_FAILED", a.submit(id, tasks(submitted, submitted + 50)));
    await refuses("DATA_DIRECTORY", open(), /newer Manyhands/);
    expect(await postgres.query("SELECT 1 FROM servers WHERE NOT buried", schema)).toEqual([]);
    const [packs] = await postgres.query<{ tasks: string }>(
      `SELECT sum(count) AS tasks FROM "taskPacks"`,
      schema,
    );
    expect(Number(packs!.tasks)).toBe(submitted);
  });

  it("[SHARED-4] tells what another server changed", async () => {
    const news: News[] = [];
    a.onNews((heard) => news.push(heard));
    const kinds = (job = id) =>
      new Set(news.flatMap(({ jobs }) => jobs).flatMap((one) => (one.id === job ? one.kinds : [])));
    await eventually(async () => {
      await b.setPaused(id, false).then(() => b.setPaused(id, true));
      expect([...kinds()]).toContain("state");
    });
    news.length = 0;
    await b.createJob(newJob({ id: jobId(2) }));
    await eventually(() => expect([...kinds(jobId(2))]).toContain("state"));
    await b.submit(id, tasks(10, 11));
    await eventually(() => expect([...kinds()]).toContain("tasks"));
    news.length = 0;
    await b.complete(id, [done(0)]);
    await eventually(() => expect([...kinds()]).toContain("outcomes"));
    await b.ban("c_bad", "rude");
    await eventually(() => expect(news.flatMap((heard) => heard.kinds)).toContain("bans"));
    expect(await a.listBans()).toMatchObject([{ subject: "c_bad" }]);
  });

  it("[SHARED-4] finds by polling what no notification told", async () => {
    const news: News[] = [];
    a.onNews((heard) => news.push(heard));
    // As from a server whose notification was lost.
    await postgres.query(`UPDATE ${schema}.jobs SET paused = 1, version = version + 1`);
    await eventually(() => expect(news.flatMap(({ jobs }) => jobs).map((job) => job.id)).toContain(id));
    expect((await a.setPriority(id, 1)).paused).toBe(true);
  });

  it("[SHARED-4] finds by polling what no notification told, before a change of its own", async () => {
    const news: News[] = [];
    a.onNews((heard) => news.push(heard));
    for (let round = 1; round <= 3; round++) {
      // A second poll finds no change: the versions are known.
      news.length = 0;
      await eventually(() => expect(news.filter(({ active }) => active).length).toBeGreaterThan(1));
      news.length = 0;
      await postgres.query(`UPDATE ${schema}.jobs SET paused = ${round % 2}, version = version + 1`);
      await a.setPriority(id, round);
      await eventually(() => expect(news.flatMap(({ jobs }) => jobs).map((job) => job.id)).toContain(id), 5);
    }
  });

  it("[SHARED-1] [QUOTA-2] counts what both servers take to one quota", async () => {
    const quotas = { bytes: all, jobs: 3, kernels: 9, openTasks: 12 };
    const [c, d] = [await open({ quotas }), await open({ quotas })];
    await c.submit(id, tasks(10, 11));
    await refuses("QUOTA_EXCEEDED", d.submit(id, tasks(11, 13)));
    await d.submit(id, tasks(11, 12));
    await refuses("QUOTA_EXCEEDED", c.submit(id, tasks(12, 13)));
    expect((await c.usage("ada")).openTasks).toBe(12);
  });

  it("[SHARED-1] [QUOTA-7] a customer's own quota that one server sets holds at the other at once, and is heard there", async () => {
    const quotas = { bytes: all, jobs: 9, kernels: 9, openTasks: 12 };
    // The next renewal, by which a server would find the change, is long after this test.
    const slow = { quotas, timeToLiveMs: 600_000 };
    const [c, d] = [await open(slow), await open(slow)];
    const told: [string, boolean][] = [];
    d.onQuota((customer, full) => told.push([customer, full]));
    await c.setQuotas("ada", { openTasks: 10, bytes: 1 });
    await eventually(() => expect(told).toEqual([["ada", true]]));
    await refuses("QUOTA_EXCEEDED", d.submit(id, tasks(10, 11)));
    await c.setQuotas("ada", {});
    await eventually(() => expect(told.at(-1)).toEqual(["ada", false]));
    await d.submit(id, tasks(10, 12));
  });

  it("[SHARED-5] another server goes on with what a server left half-way when it died", async () => {
    await a.createJob(newJob({ id: jobId(2), inputsFrom: id }));
    // A deletion of which only the first commit was made, and an outcome that was not passed on.
    await postgres.query(`INSERT INTO ${schema}."forgottenJobs" VALUES (77, 'ada')`);
    await postgres.query(
      `INSERT INTO ${schema}."taskPacks" (job, first, count, inputs) VALUES (77, 0, 1, '')`,
    );
    await a.close();
    await eventually(async () =>
      expect(await postgres.query(`SELECT 1 FROM ${schema}."taskPacks" WHERE job = 77`)).toEqual([]),
    );
    await b.complete(id, [done(0)]);
    await eventually(async () => expect(await b.getJob(jobId(2))).toMatchObject({ total: 1 }));
  });

  it("[PG-2] refuses a newer schema, and a database that is not there, without the password", async () => {
    await postgres.query(`UPDATE ${schema}.manyhands SET version = 99`);
    await expect(openPostgresStore(url)).rejects.toMatchObject({
      code: "DATA_DIRECTORY",
      message: expect.stringMatching(/schema version 99, made by a newer Manyhands/) as string,
    });
    const missing = "postgres://ada:hush@localhost:1/lab";
    await expect(openPostgresStore(missing)).rejects.toMatchObject({
      code: "DATA_DIRECTORY",
      message: expect.not.stringMatching(/hush/) as string,
    });
  });

  it("[PG-2] servers that start at once migrate the database once", async () => {
    url = await postgres.newSchema();
    const opened = await Promise.all([open(), open(), open()]);
    for (const store of opened) await store.check();
  });
});
