import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresStore } from "../../server/store/postgres/open.ts";
import type { SharedStore } from "../../server/store/shared-store.ts";
import { seededRandom } from "../../shared/random.ts";
import { done, jobId, newJob, postKernel, tasks } from "../contract/store-fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";

const id = jobId(1);

describe.runIf(hasPostgres)(`failures of PostgreSQL${whyNoPostgres}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  }, 60_000);
  afterAll(() => postgres.stop());

  /** Submits and works off tasks through several stores, until told to stop. */
  async function work(stores: readonly SharedStore[], accepted: number[], stopped: () => boolean) {
    const submitted = new Set<number>();
    const refused: unknown[] = [];
    let next = 0;
    const submit = async (store: SharedStore) => {
      while (!stopped()) {
        const from = next;
        next += 20;
        try {
          await store.submit(id, tasks(from, from + 20));
          for (let index = from; index < from + 20; index++) submitted.add(index);
        } catch (error) {
          refused.push(error);
        }
      }
    };
    const complete = async (store: SharedStore) => {
      while (!stopped())
        try {
          const some = await store.claim(id, 7);
          const answer = await store.complete(
            id,
            some.map(({ index }) => done(index)),
          );
          accepted.push(...answer.accepted);
          if (some.length === 0) await wait(2);
        } catch (error) {
          refused.push(error);
        }
    };
    await Promise.all(stores.flatMap((store) => [submit(store), complete(store), complete(store)]));
    return { submitted, accepted, refused };
  }

  /** Resolves when more was accepted: the store goes on by itself. */
  async function progress(accepted: readonly number[]) {
    const before = accepted.length;
    await eventually(() => expect(accepted.length).toBeGreaterThan(before), 2);
  }

  async function check(
    store: SharedStore,
    { submitted, accepted, refused }: Awaited<ReturnType<typeof work>>,
  ) {
    expect(refused).toEqual([]);
    const results = await store.results(id, 0, 10_000_000, Infinity);
    const ended = results.map(({ index }) => index);
    expect(new Set(ended).size).toBe(ended.length);
    expect(results.map(({ seq }) => seq)).toEqual(results.map((_, k) => k + 1));
    // Acknowledged changes are there, once. A repeated transaction says the same as the lost one.
    expect(accepted.toSorted((a, b) => a - b)).toEqual(ended.toSorted((a, b) => a - b));
    expect(await store.getJob(id)).toMatchObject({ total: submitted.size, done: ended.length });
    expect(await store.submit(id, tasks(0, 20))).toMatchObject({ added: 0, repeated: 20 });
    for (let some; (some = await store.claim(id, 1000)).length > 0;)
      await store.complete(
        id,
        some.map(({ index }) => done(index)),
      );
    const left = [...submitted].length - (await store.results(id, 0, 10_000_000, Infinity)).length;
    return left;
  }

  it("[PG-1] [DUR-1] [ONCE-1] sessions that are cut at any moment lose and double nothing", async () => {
    const url = await postgres.newSchema();
    const stores = [await openPostgresStore(url), await openPostgresStore(url)];
    await postKernel(stores[0]!);
    await stores[0]!.createJob(newJob());
    let stopped = false;
    const accepted: number[] = [];
    const working = work(stores, accepted, () => stopped);
    const random = seededRandom("cut");
    for (let cut = 0; cut < 60; cut++) {
      await progress(accepted);
      await wait(random() * 20);
      await postgres.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'manyhands' AND pid <> pg_backend_pid() AND random() < 0.5`,
      );
    }
    stopped = true;
    const worked = await working;
    await check(stores[0]!, worked);
    await Promise.all(stores.map((store) => store.close()));
  });

  it("[PG-1] [DUR-1] a restart, and a crash, of PostgreSQL lose and double nothing", async () => {
    const url = await postgres.newSchema();
    const stores = [await openPostgresStore(url), await openPostgresStore(url)];
    await postKernel(stores[0]!);
    await stores[0]!.createJob(newJob());
    let stopped = false;
    const accepted: number[] = [];
    const working = work(stores, accepted, () => stopped);
    const random = seededRandom("crash");
    for (const signal of ["SIGINT", "SIGQUIT", "SIGQUIT"] as const) {
      await progress(accepted);
      await wait(random() * 200);
      await postgres.down(signal);
      await postgres.up();
    }
    await progress(accepted);
    stopped = true;
    const worked = await working;
    await check(stores[1]!, worked);
    await eventually(async () =>
      expect((await stores[0]!.servers()).filter(({ live }) => live)).toHaveLength(2),
    );
    await Promise.all(stores.map((store) => store.close()));
  });
});
