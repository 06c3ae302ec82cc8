import { expect, test } from "vitest";
import { computeHere } from "../../../science/compute-here.ts";
import { addNoise } from "../../../science/noise.ts";
import { randomPose } from "../../../science/orientations.ts";
import { projectStage } from "../../../science/stages.ts";
import { polarGrid } from "../../../science/kernels/math/polar.ts";
import { RotationalSearch, shiftGrid, type Match } from "../../../science/kernels/math/rotational-search.ts";
import { addAligned } from "../../../science/kernels/math/transform-image.ts";
import { withEngine } from "../../../science/kernels/wasm/engine.ts";
import { seededRandom } from "../../../shared/random.ts";
import { correlation, phantom } from "../../support/phantom.ts";
import * as plain from "../../support/reference/rotational-search.ts";
import { addAligned as addAlignedPlainly } from "../../support/reference/transform-image.ts";

const box = 32;
const view = { rot: 40, tilt: 70 };
const image = (psi: number, originX: number, originY: number): Promise<Float32Array> =>
  projectStage(computeHere(), phantom(box), [{ ...view, psi, originX, originY }], {
    name: "one",
    maxRadius: 10,
    block: 1,
  });
const reference = await image(0, 0, 0);
const grid = polarGrid(box, 1, 9, 13);

/** The best match of a particle to the reference. */
function match(
  particle: Float32Array,
  shifts: { x: number; y: number }[],
  options: { mirror?: boolean; finer?: number } = {},
): Match {
  return withEngine((engine) => {
    const search = new RotationalSearch(engine, grid, shifts, options);
    search.setReferences(reference);
    search.setParticle(particle);
    return search.matches()[0]!;
  });
}

/** Flipped left to right about the centre pixel; the first column has no partner and is empty. */
function flipped(pixels: Float32Array): Float32Array {
  return pixels.map((_, i) => {
    const column = i % box;
    return column === 0 ? 0 : pixels[i - column + box - column]!;
  });
}

// A particle is mirrored after its shift, so its x origin has the opposite sign.
test.each([
  [0, 0, 0, false],
  [45, 2, -1, false],
  [202.5, -2, 1, false],
  [0, 0, 0, true],
  [90, 1, 2, true],
  [337.5, -2, -1, true],
])("finds psi %s, origin %s %s, mirror %s", async (psi, x, y, mirror) => {
  const straight = await image(psi, mirror ? -x : x, y);
  const particle = mirror ? flipped(straight) : straight;
  const found = match(particle, shiftGrid(3, 1), { mirror: true });
  expect(found).toMatchObject({ psi, originX: x, originY: y, mirror });
  expect(found.score).toBeGreaterThan(0.999);
  const aligned = new Float32Array(box * box);
  addAligned(particle, box, found, aligned);
  expect(correlation(aligned, reference)).toBeGreaterThan(0.98);
});

test("without mirrors a mirror image scores lower", async () => {
  const particle = flipped(await image(30, 0, 0));
  const scoreWith = (mirror: boolean): number => match(particle, shiftGrid(1, 1), { mirror }).score;
  expect(scoreWith(false)).toBeLessThan(scoreWith(true) - 0.02);
});

test("finer angles are found between those of the grid", async () => {
  const step = 360 / grid.angles;
  const found = match(await image(5.25 * step, 0, 0), shiftGrid(1, 1), { finer: 4 });
  expect(found.psi).toBeCloseTo(5.25 * step, 6);
});

test.each([
  { mirror: false, finer: 1, radius: 0 },
  { mirror: false, finer: 2, radius: 1 },
  { mirror: true, finer: 4, radius: 2 },
])("agrees with the reference implementation: %o", async ({ mirror, finer, radius }) => {
  const random = seededRandom("search");
  const images = await projectStage(
    computeHere(),
    phantom(box),
    Array.from({ length: 24 }, () => randomPose(random, 2)),
    { name: "search", maxRadius: 12, block: 24 },
  );
  const noisy = addNoise(images, box * box, 1, seededRandom("noise"));
  const [references, particles] = [noisy.subarray(0, 11 * box * box), noisy.subarray(11 * box * box)];
  const shifts = shiftGrid(radius, 1);
  const spectra = plain.referenceSpectra(references, grid);
  const slow = new plain.RotationalSearch(grid, shifts, { mirror, finer });
  withEngine((engine) => {
    const fast = new RotationalSearch(engine, grid, shifts, { mirror, finer });
    fast.setReferences(references);
    for (let i = 0; i < 13; i++) {
      const particle = particles.subarray(i * box * box, (i + 1) * box * box);
      slow.setParticle(particle);
      fast.setParticle(particle);
      const expected = spectra.map((spectrum) => slow.match(spectrum));
      fast.matches().forEach((found, reference) => {
        expect(found).toEqual({
          ...expected[reference],
          score: expect.closeTo(expected[reference]!.score, 5),
        });
      });
    }
  });
});

test.each([
  { psi: 0, originX: 0, originY: 0, mirror: false },
  { psi: 33, originX: 2.5, originY: -1.25, mirror: false },
  { psi: 200, originX: -7, originY: 9.5, mirror: true },
])("an image is aligned as by the reference implementation: %o", async (transform) => {
  const noisy = addNoise(reference, box * box, 1, seededRandom("image"));
  const [out, expected] = [new Float32Array(box * box).fill(1), new Float32Array(box * box).fill(1)];
  addAligned(noisy, box, transform, out);
  addAlignedPlainly(noisy, box, transform, expected);
  const peak = Math.max(...noisy);
  out.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4 * peak));
});
