import { expect, test } from "vitest";
import { computeHere } from "../../science/compute-here.ts";
import { projectStage } from "../../science/stages.ts";
import { polarGrid } from "../../shared/kernels/math/polar.ts";
import {
  referenceSpectra,
  RotationalSearch,
  shiftGrid,
} from "../../shared/kernels/math/rotational-search.ts";
import { addAligned } from "../../shared/kernels/math/transform-image.ts";
import { phantom } from "../support/phantom.ts";

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
const [spectrum] = referenceSpectra(reference, grid);

/** Flipped left to right about the centre pixel; the first column has no partner and is empty. */
function flipped(pixels: Float32Array): Float32Array {
  return pixels.map((_, i) => {
    const column = i % box;
    return column === 0 ? 0 : pixels[i - column + box - column]!;
  });
}

function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    ab += (value - meanA) * (b[i]! - meanB);
    aa += (value - meanA) ** 2;
    bb += (b[i]! - meanB) ** 2;
  });
  return ab / Math.sqrt(aa * bb);
}

// A mirror image is made after the shift, so its x origin counts the other way.
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
  const search = new RotationalSearch(grid, shiftGrid(3, 1), { mirror: true });
  search.setParticle(particle);
  const match = search.match(spectrum!);
  expect(match).toMatchObject({ psi, originX: x, originY: y, mirror });
  expect(match.score).toBeGreaterThan(0.999);
  const aligned = new Float32Array(box * box);
  addAligned(particle, box, match, aligned);
  expect(correlation(aligned, reference)).toBeGreaterThan(0.98);
});

test("without mirrors a mirror image scores lower", async () => {
  const particle = flipped(await image(30, 0, 0));
  const scoreWith = (mirror: boolean): number => {
    const search = new RotationalSearch(grid, shiftGrid(1, 1), { mirror });
    search.setParticle(particle);
    return search.match(spectrum!).score;
  };
  expect(scoreWith(false)).toBeLessThan(scoreWith(true) - 0.02);
});

test("finer angles are found between those of the grid", async () => {
  const step = 360 / grid.angles;
  const search = new RotationalSearch(grid, shiftGrid(1, 1), { finer: 4 });
  search.setParticle(await image(5.25 * step, 0, 0));
  expect(search.match(spectrum!).psi).toBeCloseTo(5.25 * step, 6);
});
