import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hands, JobInfo } from "../../customer/index.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { python, PythonProgram, whySkipped } from "../python/programs.ts";
import { buildFastTree } from "../support/fasttree.ts";
import { root } from "../support/processes.ts";
import { expectPicture, runToEnd, scratchDirectory } from "./program-runs.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 2 });
  hands = await platform.connect();
});
afterAll(() => platform.close());

const gallery = join(root, "examples", "gallery");
/** Longest run of an example: an interpreter starts, or two trees are inferred, while other tests run. */
const timeout = 300_000;
const speedUp = /^(?:.*; )?computed [\d.]+ s in [\d.]+ s: [\d.]+ times as fast as one slot$/m;

/** Expects that the picture is on the page of the job. */
async function expectAttached(
  isIts: (job: JobInfo) => boolean,
  name: string,
  picture: string,
): Promise<void> {
  const job = (await hands.jobs()).find(isIts)!;
  expect(await hands.job(job.id).attachment(name)).toEqual(new Uint8Array(await readFile(picture)));
}

describe.skipIf(python === undefined)(`in Python${whySkipped}`, () => {
  it("the Ising model has the energies and magnetisations of Onsager and Yang", { timeout }, async () => {
    const out = join(await scratchDirectory(), "ising.svg");
    const flags = ["--runs", "4", "--step", "0.4", "--sweeps", "200", "--out", out];
    const program = new PythonProgram([join(gallery, "ising.py"), ...flags], platform.environment);
    const output = await program.ends();
    expect(output).toMatch(/^2\.40 .*\(near the transition\)$/m);
    expect(output).toMatch(/^6 values agree with the exact ones within [0-4]\.\d error bars/m);
    expect(output).toMatch(speedUp);
    const picture = await readFile(out, "utf8");
    expect(picture.match(/class="dot"/g)).toHaveLength(6 + 5 + 6);
    await expectAttached(({ name }) => name === "Ising model", "ising.svg", out);
  });
});

const fasttree = buildFastTree();
describe.skipIf(fasttree.program === undefined)(`of C${fasttree.why}`, () => {
  it("trees of orchids: that of Debian's FastTree, and the genera are branches", { timeout }, async () => {
    const out = join(await scratchDirectory(), "trees.svg");
    const flags = ["--fasttree", fasttree.program!, "--replicates", "1", "--out", out];
    const output = await runToEnd(platform, "gallery/orchid-trees", flags);
    expect(output).toMatch(/^the tree of 94 sequences is that of Debian's fasttree, byte for byte$/m);
    expect(output).toMatch(/^Paphiopedilum 61 sequences: one branch, in 100 % of 1 replicates$/m);
    expect(output).toMatch(speedUp);
    expect((await readFile(out, "utf8")).match(/>Paphiopedilum [a-z]+</g)).toHaveLength(61);
    await expectAttached(({ name }) => name === "Trees of slipper orchids", "orchid-trees.svg", out);
  });
});

it("polar surface areas are the published ones where rings are as aromatic", async () => {
  const out = join(await scratchDirectory(), "polar-surface.png");
  const output = await runToEnd(platform, "gallery/polar-surface", ["--products", "500", "--out", out]);
  expect(output).toMatch(/^4877 of 4978 published areas agree within 0\.01 Å², the others within 11\.3 Å²$/m);
  expect(output).toMatch(/^500 natural products: \d\d\.\d\d Å² on average/m);
  expect(output).toMatch(speedUp);
  await expectPicture(out);
  await expectAttached(({ name }) => name === "Polar surface areas", "polar-surface.png", out);
});

it("clusters of stars keep their energy, and those in balance their size", async () => {
  const out = join(await scratchDirectory(), "star-clusters.png");
  const flags = ["--stars", "128", "--clusters", "2", "--out", out];
  const output = await runToEnd(platform, "gallery/star-clusters", flags);
  expect(output).toMatch(/^energy of 6 clusters conserved within 0\.0\d %$/m);
  expect(output).toMatch(/^in balance: half of the stars within 0\.[6-9]\d\d on average; Plummer: 0\.769$/m);
  expect(output).toMatch(speedUp);
  await expectPicture(out);
  await expectAttached(({ name }) => name === "Star clusters", "star-clusters.png", out);
});

it("a search that stops bad settings early finds the best ones, and cancels the work on the others", async () => {
  const out = join(await scratchDirectory(), "early-stopping.png");
  const flags = ["--networks", "9", "--rounds", "3", "--out", out];
  const output = await runToEnd(platform, "gallery/early-stopping", flags);
  expect(output).toMatch(
    /^stopping early: (\d+\.\d\d) Å² after 63 epochs.*\nall to the end: \1 Å² after 243 epochs/,
  );
  expect(output).toMatch(/: number 1 of 9, the best within 0\.0 %$/m);
  expect(output).toMatch(speedUp);
  await expectPicture(out);
  const jobs = await hands.jobs();
  const stateOf = (group: string) => jobs.filter((job) => job.group === group).map(({ state }) => state);
  expect(stateOf("Exhaustive")).toEqual(Array.from({ length: 27 }, () => "finished"));
  // Stages of a cancelled chain that a free slot began early may have ended before.
  expect(stateOf("Stopping").filter((state) => state === "cancelled").length).toBeGreaterThan(7);
  const winner = (
    await Promise.all(jobs.map(async (job) => [job.id, await hands.job(job.id).attachments()] as const))
  ) //
    .filter(([, attached]) => attached.some(({ name }) => name === "early-stopping.png"));
  expect(winner).toHaveLength(1);
});
