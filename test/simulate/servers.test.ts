import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { runSeeds } from "../../simulate/platform/pool.ts";
import type { SeedReport } from "../../simulate/platform/run-seed.ts";

/** Seeds that found a fault once. */
const pinned = [0, 8, 9, 14, 23, 27, 110, 143, 189];
/** The same worlds in every run, so that only a change of the code makes one of them fail; SIMULATE_SEEDS adds others. */
const fixed = Array.from({ length: 12 }, (_, i) => 10_004 + i);
const more = Array.from({ length: Number(process.env["SIMULATE_SEEDS"] ?? 0) }, (_, i) => 100_000 + i);

async function run(seeds: readonly number[]): Promise<SeedReport[]> {
  const reports: SeedReport[] = [];
  const threads = Math.min(2, availableParallelism());
  const worlds = seeds.map((seed) => ({ kind: "servers", seed }) as const);
  await runSeeds(worlds, { threads, onReport: (report) => reports.push(report) });
  return reports.toSorted((a, b) => a.seed - b.seed);
}

test("[SERVERS-7] [SERVERS-8] [SERVERS-9] [SHARED-1] [SHARED-3] [SHARED-4] several servers on a failing database lose and double nothing", async () => {
  const reports = await run([...pinned, ...fixed, ...more]);
  const failed = reports.filter(({ failure }) => failure !== undefined);
  const stories = failed.map(
    ({ seed, failure }) => `npm run simulate -- servers --seed ${seed} --steps: ${failure}`,
  );
  expect(stories).toEqual([]);
  const kinds = new Set(reports.flatMap(({ faults }) => faults.map(([kind]) => kind)));
  expect([...kinds]).toEqual(
    expect.arrayContaining([
      "database crashed",
      "database full",
      "database restarted",
      "database session dropped",
      "notification lost",
      "server cut off from the database",
      "server fenced",
      "server held still",
      "server killed",
      "session lost after commit",
      "session lost before commit",
    ]),
  );
}, 600_000);

test("a world of several servers does the same in every run of its seed", async () => {
  const hashes = async (seeds: readonly number[]): Promise<string[]> =>
    (await run(seeds)).map(({ hash }) => hash);
  const first = await hashes([3, 5]);
  expect(await hashes([5, 3])).toEqual(first);
});
