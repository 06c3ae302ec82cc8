import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadBetaGal } from "../../science/demo/betagal.ts";
import type { Hands } from "../../customer/index.ts";
import { fourierShellCorrelation, resolutionAt } from "../../science/fsc.ts";
import { readMrc, volumeOf } from "../../science/mrc.ts";
import { readParticleStar } from "../../science/particle-star.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { expectPicture, killWhen, runToEnd, scratchDirectory } from "./program-runs.ts";
import { root } from "../support/processes.ts";
import { correlation } from "../support/phantom.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  // No client is connected at first, so that submitted tasks stay queued.
  platform = await LivePlatform.start({ slots: 0 });
  hands = await platform.connect();
});
afterAll(() => platform.close());

const small = ["--box", "32", "--snr", "1"];
const classesIn = async (file: string): Promise<(number | undefined)[]> =>
  readParticleStar(await readFile(file, "utf8")).rows.map((row) => row.class);

it("simmx, killed with its work submitted, goes on with the same job; classes and hands are right, class-average averages them", async () => {
  const out = await scratchDirectory();
  const flags = ["--sample", "64", "--block", "8", ...small, "--out", out];
  await killWhen(platform, hands, ["simmx", flags], ([job]) => job?.state === "closed");
  platform.startClient(2);
  await expect.poll(async () => (await hands.jobs())[0]?.counts.done, { timeout: 60_000 }).toBeGreaterThan(0);
  expect(await runToEnd(platform, "simmx", flags)).toMatch(/^64 particles × 8 references/);
  expect(await hands.jobs()).toMatchObject([{ state: "finished", counts: { total: 8, done: 8 } }]);

  const found = await classesIn(join(out, "classes.star"));
  expect(found).toEqual(await classesIn(join(out, "sample", "particles.star")));
  const matrices = readMrc(await readFile(join(out, "simmx.mrcs")));
  expect(matrices.header.dimensions).toEqual([8, 64, 5]);
  // Every other round of the eight views was mirrored; a nearly symmetric view may match either way.
  const [mirrored, straight] = [mirrorCount(matrices.data, found, 1), mirrorCount(matrices.data, found, 0)];
  expect(mirrored).toBeGreaterThan(24);
  expect(straight).toBeLessThan(8);
  await expectPicture(join(out, "matches.png"));
  await expectPicture(join(out, "scores.png"));

  const averages = join(out, "averages");
  const references = ["--references", join(out, "sample", "references.mrcs")];
  const average = [join(out, "classes.star"), ...references, "--resolution", "16", "--out", averages];
  await killWhen(
    platform,
    hands,
    ["class-average", average],
    ([job]) => (job?.counts.done ?? 0) > 0 && job?.counts.total === 8,
  );
  expect(await runToEnd(platform, "class-average", average)).toMatch(/^8 averages of 56 of 64 particles/);
  expect(await hands.jobs()).toHaveLength(2);
  const made = readMrc(await readFile(join(averages, "averages.mrcs")));
  const truth = readMrc(await readFile(join(out, "sample", "references.mrcs")));
  for (let i = 0; i < 8; i++)
    expect(correlation(imageAt(made.data, i), imageAt(truth.data, i))).toBeGreaterThan(0.9);
  expect(await classesIn(join(averages, "aligned.star"))).toEqual(found);
  await expectPicture(join(averages, "averages.png"));
});

it("reconstruct, killed twice, goes on with the jobs it had, and ends with the map of an undisturbed run", async () => {
  const before = new Set((await hands.jobs()).map(({ id }) => id));
  const own = async () => (await hands.jobs()).filter(({ id }) => !before.has(id));
  const out = await scratchDirectory();
  const flags = [
    "--sample",
    "80",
    "--sym",
    "D2",
    "--iterations",
    "1",
    "--view-step",
    "12",
    ...small,
    "--out",
    out,
  ];
  await killWhen(platform, hands, ["reconstruct", flags], (jobs) =>
    jobs.some(({ name }) => /Match/.test(name)),
  );
  await killWhen(platform, hands, ["reconstruct", flags], (jobs) =>
    jobs.some(({ name }) => /Insert/.test(name)),
  );
  expect(await runToEnd(platform, "reconstruct", flags)).toMatch(/^80 particles, D2: /);
  const jobs = await own();
  expect(jobs.map(({ name }) => name).toSorted()).toEqual(
    [
      "reconstruct: Insert, round 1, half 1",
      "reconstruct: Insert, round 1, half 2",
      "reconstruct: Match, half 1",
      "reconstruct: Match, half 2",
      "reconstruct: Project the first reference",
      "reconstruct: Refine, round 1, half 1",
      "reconstruct: Refine, round 1, half 2",
    ].toSorted(),
  );
  const map = await readFile(join(out, "map.mrc"));
  const fsc = fourierShellCorrelation(volumeOf(readMrc(map)), await loadBetaGal(32));
  // 20.4 Å was measured; the starting reference has no detail beyond 27 Å.
  expect(resolutionAt(fsc, 0.5)).toBeLessThan(23);
  await expectPicture(join(out, "map.png"));
  await expectPicture(join(out, "fsc.png"));

  for (const { id } of jobs) await hands.job(id).delete();
  await runToEnd(platform, "reconstruct", flags);
  expect(map.equals(await readFile(join(out, "map.mrc")))).toBe(true);
});

it("reconstruct takes known poses as they are, from its own files", async () => {
  const out = await scratchDirectory();
  const sample = ["--sample", "60", "--sym", "D2", "--iterations", "0", "--box", "32", "--snr", "1000"];
  await runToEnd(platform, "reconstruct", [...sample, "--out", out]);
  const again = join(out, "again");
  await runToEnd(platform, "reconstruct", [
    join(out, "poses.star"),
    "--sym",
    "D2",
    "--iterations",
    "0",
    "--out",
    again,
  ]);
  const map = async (file: string) => volumeOf(readMrc(await readFile(file)));
  const fsc = fourierShellCorrelation(await map(join(out, "map.mrc")), await loadBetaGal(32));
  for (const value of fsc.values.slice(0, 9)) expect(value).toBeGreaterThan(0.9);
  // Angles in the table have six digits.
  const same = fourierShellCorrelation(await map(join(out, "map.mrc")), await map(join(again, "map.mrc")));
  for (const value of same.values) expect(value).toBeGreaterThan(0.99999);
});

it.each(["simmx", "class-average", "reconstruct"])(
  "%s has --help, and says what it misses in a line",
  async (name) => {
    const program = (...flags: string[]) =>
      promisify(execFile)(process.execPath, [join(root, "examples", `${name}.ts`), ...flags], {
        env: platform.environment,
      });
    expect((await program("--help")).stdout).toMatch(/--parallel <spec>[\s\S]*goes on where it stopped/);
    await expect(program()).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^\S+: .*expected, or --sample; --help tells more\n$/) as string,
    });
  },
);

/** Number of particles whose views were (1) or were not (0) mirrored, and that match their class as mirror images. */
function mirrorCount(matrices: Float32Array, classes: readonly (number | undefined)[], odd: 0 | 1): number {
  const layer = matrices.subarray(4 * 8 * 64);
  return classes.filter((which, i) => Math.floor(i / 8) % 2 === odd && layer[i * 8 + which! - 1] === 1)
    .length;
}

function imageAt(stack: Float32Array, index: number): Float32Array {
  return stack.subarray(index * 32 * 32, (index + 1) * 32 * 32);
}
