import { execFile } from "node:child_process";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writePoseSample } from "../../examples/lib/sample.ts";
import { fourierShellCorrelation } from "../../science/fsc.ts";
import { placementOf, readMrc, volumeOf, writeMrc } from "../../science/mrc.ts";
import { readParticleStar } from "../../science/particle-star.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { root } from "../support/processes.ts";
import { scratchDirectory } from "./program-runs.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 2 });
});
afterAll(() => platform.close());

const cases = join(root, "test", "support", "data", "cases");

/** Runs a program; a refusal is a result, not an error. */
async function run(
  name: string,
  ...flags: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = promisify(execFile)(process.execPath, [join(root, "examples", `${name}.ts`), ...flags], {
    env: platform.environment,
  });
  return program.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

/** Writes a changed copy of a file. */
async function changed(from: string, to: string, change: (view: DataView) => void): Promise<string> {
  const bytes = Uint8Array.from(await readFile(from));
  change(new DataView(bytes.buffer));
  await writeFile(to, bytes);
  return to;
}

const particles = join(cases, "particles.mrcs");
const references = join(cases, "references.mrcs");

test("[IMAGE-1] simmx leaves an image out that has a NaN, names it, and is right about all others", async () => {
  const out = await scratchDirectory();
  await changed(particles, join(out, "nan-pixel.mrcs"), (view) =>
    view.setFloat32(1024 + 4 * (5 * 1024 + 100), NaN, true),
  );
  await copyFile(join(cases, "nan-star.star"), join(out, "nan-star.star"));
  const { code, stdout, stderr } = await run(
    "simmx",
    references,
    join(out, "nan-star.star"),
    "--out",
    join(out, "a"),
  );
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(
      /^simmx: warning: .*nan-pixel.mrcs: image 6 has a pixel that is NaN, infinite .*; left out$/m,
    ),
  ]);
  expect(stdout).toMatch(/^31 particles × 8 references/);
  expect(stdout).toMatch(/^left out: 1 of 32 images \(1 with a pixel that is NaN or infinite\)$/m);
  const { rows } = readParticleStar(await readFile(join(out, "a", "classes.star"), "utf8"));
  expect(rows.map(({ index }) => index)).toEqual(
    Array.from({ length: 32 }, (_, i) => i).filter((i) => i !== 5),
  );
  // Particles were made from the references in turn.
  const right = rows.filter((row) => row.class === (row.index % 8) + 1).length;
  expect(right).toBeGreaterThanOrEqual(29);
});

test("[IMAGE-1] reconstruct with an image that has a NaN makes the map of the others", async () => {
  const out = await scratchDirectory();
  const { particles: star } = await writePoseSample(join(out, "sample"), {
    particles: 60,
    box: 24,
    snr: 100,
  });
  const flags = ["--iterations", "0", "--sym", "D2"];
  const whole = await run("reconstruct", star, ...flags, "--out", join(out, "whole"));
  expect([whole.code, whole.stderr]).toEqual([0, expect.not.stringMatching(/warning/)]);
  const stack = join(out, "sample", "particles.mrcs");
  await changed(stack, stack, (view) => view.setFloat32(1024 + 4 * 40 * 24 * 24, Infinity, true));
  const { code, stdout, stderr } = await run("reconstruct", star, ...flags, "--out", join(out, "others"));
  expect([code, stderr]).toEqual([0, expect.stringMatching(/particles.mrcs: image 41 has a pixel/)]);
  expect(stdout).toMatch(/^59 particles, D2: \d+\.\d Å between the halves/);
  const [a, b] = await Promise.all(
    ["whole", "others"].map(async (name) => volumeOf(readMrc(await readFile(join(out, name, "map.mrc"))))),
  );
  for (const value of fourierShellCorrelation(a!, b!).values.slice(0, 9)) expect(value).toBeGreaterThan(0.95);
});

test.each(["simmx", "class-average", "reconstruct"])(
  "[IMAGE-3] %s asks for a pixel size that the header lacks, and takes it",
  async (name) => {
    const out = await scratchDirectory();
    const file = await changed(particles, join(out, "no-cell.mrcs"), (view) =>
      [40, 44, 48].forEach((at) => view.setFloat32(at, 0, true)),
    );
    const inputs = name === "simmx" ? [references, file] : [file];
    const small = name === "reconstruct" ? ["--iterations", "0"] : ["--max-shift", "4", "--no-mirror"];
    const refused = await run(name, ...inputs, ...small, "--out", join(out, "a"));
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no-cell.mrcs: no pixel size in the header .*--apix/) as string,
    });
    const wrong = await run(name, ...inputs, "--apix", "0");
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/a pixel size of 0.05 … 10,000 Å/) as string,
    });
    if (name === "reconstruct") return;
    const given = await run(name, ...inputs, ...small, "--apix", "3.55", "--out", join(out, "a"));
    expect(given).toMatchObject({ code: 0, stdout: expect.stringMatching(/32 particles/) as string });
  },
);

test("a volume as particles, and references of other pixels, are worth a warning", async () => {
  const out = await scratchDirectory();
  const volume = await changed(particles, join(out, "volume.mrc"), (view) => view.setInt32(88, 1, true));
  const { code, stderr } = await run("simmx", references, volume, "--max-shift", "4", "--out", out);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^simmx: warning: .*volume.mrc: space group 1 says that this is a volume/m);
  expect(stderr).toMatch(/^simmx: warning: references with pixels of 7.080 Å, particles with 3.550 Å/m);
});

test("a volume of an old program, with the space group of images, is worth a warning", async () => {
  const out = await scratchDirectory();
  const cube = await changed(particles, join(out, "old.mrc"), (view) => view.setInt32(36, 32, true));
  const flags = ["--max-shift", "4", "--no-mirror", "--iterations", "1", "--out", out];
  const { code, stderr } = await run("class-average", cube, ...flags);
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /^class-average: warning: .*old.mrc: 32 sections of one cell .* look like a volume/m,
  );
});

test("[IMAGE-4] parameters that no search has are refused before anything is submitted", async () => {
  const out = await scratchDirectory();
  const hands = await platform.connect();
  const before = (await hands.jobs()).length;
  for (const [flags, message] of [
    [["--shift-step", "0.0000001"], /shiftStep \(pixels\) of 1e-7/],
    [["--radius", "1000000"], /particleRadius \(pixels\)/],
    [["--shift-step", "0.01", "--max-shift", "100"], /at most 100000 can be tried/],
  ] as const)
    expect(await run("simmx", references, particles, ...flags, "--out", out)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(message) as string,
    });
  expect(await hands.jobs()).toHaveLength(before);
});

test("[IMAGE-2] the map that reconstruct begins with says where its maps lie", async () => {
  const out = await scratchDirectory();
  const sample = await writePoseSample(join(out, "sample"), { particles: 24, box: 24, snr: 10 });
  const { size, pixelSize, data } = volumeOf(readMrc(await readFile(sample.start)));
  const placement = { start: [-12, 7, 3], origin: [100.5, -40, 12] } as const;
  await writeFile(sample.start, writeMrc(data, { dimensions: [size, size, size], pixelSize, placement }));
  const flags = [
    "--map",
    sample.start,
    "--iterations",
    "1",
    "--sym",
    "D2",
    "--view-step",
    "30",
    "--start-resolution",
    "40",
  ];
  const { code, stderr } = await run("reconstruct", sample.particles, ...flags, "--out", out);
  expect(code, stderr).toBe(0);
  for (const name of ["map", "map-filtered", "half1", "half2"])
    expect(placementOf(readMrc(await readFile(join(out, `${name}.mrc`))).header)).toEqual(placement);
});
