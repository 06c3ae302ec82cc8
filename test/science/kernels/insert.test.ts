import { expect, test } from "vitest";
import { loadBetaGal } from "../../../science/demo/betagal.ts";
import { computeHere } from "../../../science/compute-here.ts";
import { fourierShellCorrelation } from "../../../science/fsc.ts";
import { randomPose } from "../../../science/orientations.ts";
import { reconstruct } from "../../../science/reconstruct.ts";
import { putStack } from "../../../science/stacks.ts";
import * as stages from "../../../science/stages.ts";
import { symmetryOperators } from "../../../science/symmetry.ts";
import type { Volume } from "../../../science/volume.ts";
import { makeBand } from "../../../science/kernels/math/band.ts";
import { eulerMatrix, type Pose } from "../../../science/kernels/math/euler.ts";
import {
  addPacked,
  emptyPartialVolume,
  forEachRow,
  type PartialVolume,
} from "../../../science/kernels/math/partial-volume.ts";
import { putBand, takeValues } from "../../../science/kernels/math/slice-band.ts";
import { SliceSum } from "../../../science/kernels/math/slice-sum.ts";
import { withEngine } from "../../../science/kernels/wasm/engine.ts";
import { seededRandom } from "../../../shared/random.ts";
import { phantom } from "../../support/phantom.ts";
import { insertSlice } from "../../support/reference/insert-slice.ts";

const compute = computeHere();

async function roundTrip(map: Volume, count: number, symmetry: string, block: number): Promise<Volume> {
  const random = seededRandom("insert");
  const poses = Array.from({ length: count }, () => randomPose(random, 2));
  const maxRadius = map.size / 2;
  const images = await stages.projectStage(compute, map, poses, { name: "project", maxRadius, block: 1000 });
  const [sum] = await insert(images, map.size, poses, symmetry, block);
  return reconstruct(sum!, map.size, map.pixelSize, maxRadius);
}

async function insert(
  images: Float32Array,
  box: number,
  poses: readonly Pose[],
  symmetry: string,
  block: number,
): Promise<PartialVolume[]> {
  const stack = await putStack(compute, images, box, { task: 11 });
  return stages.insertStage(compute, stack, poses, {
    name: "insert",
    symmetry: symmetryOperators(symmetry),
    maxRadius: box / 2,
    parts: 1,
    block,
  });
}

test("projections of known pose give the real map back, beyond the yardstick of relion_reconstruct", async () => {
  // The correlation of RELION 3.1 from 600 projections in a box of 100 is 0.976 near Nyquist. The demo's 600 in a box of 64
  // reach 0.998 in the shell of 7.6 Å and 0.992 in the last, as relion_reconstruct does from the same images. These 120 in a
  // box of 32 reach 0.998 in the last.
  const map = await loadBetaGal(32);
  const recovered = await roundTrip(map, 120, "D2", 50);
  const { values } = fourierShellCorrelation(map, recovered);
  for (const value of values) expect(value).toBeGreaterThan(0.995);
  // Densities have their original scale, not a multiple of it.
  const peak = Math.max(...map.data);
  expect(Math.max(...recovered.data) / peak).toBeGreaterThan(0.9);
  expect(Math.max(...recovered.data) / peak).toBeLessThan(1.1);
});

test("a box whose double has a large prime factor gives the real map back too", async () => {
  const map = await loadBetaGal(26);
  const { values } = fourierShellCorrelation(map, await roundTrip(map, 120, "D2", 50));
  for (const value of values) expect(value).toBeGreaterThan(0.995);
});

test("a particle without symmetry comes back too", async () => {
  const map = phantom(32);
  const { values } = fourierShellCorrelation(map, await roundTrip(map, 400, "C1", 400));
  for (const value of values.slice(0, 9)) expect(value).toBeGreaterThan(0.99);
});

test("blocks add up to the same as one", async () => {
  const map = phantom(24);
  const [one, many] = [await roundTrip(map, 30, "C1", 30), await roundTrip(map, 30, "C1", 7)];
  const peak = Math.max(...one.data);
  one.data.forEach((value, i) => expect(Math.abs(value - many.data[i]!)).toBeLessThan(1e-4 * peak));
});

test("images of weight 0 are left out", async () => {
  const box = 16;
  const poses = [1, 2].map((seed) => randomPose(seededRandom(String(seed)), 0));
  const images = await stages.projectStage(compute, phantom(box), poses, {
    name: "p",
    maxRadius: 8,
    block: 2,
  });
  const stack = await putStack(compute, images, box);
  const options = { name: "i", symmetry: symmetryOperators("C1"), maxRadius: 8, parts: 1, block: 2 };
  const [weighted] = await stages.insertStage(compute, stack, poses, {
    ...options,
    weights: [1, 0],
  });
  const alone = await insert(images.subarray(0, box * box), box, poses.slice(0, 1), "C1", 1);
  expect(weighted!.data).toEqual(alone[0]!.data);
  expect(weighted!.weights).toEqual(alone[0]!.weights);
});

test.each([16, 18, 20])(
  "a sum of %i samples travels as its sphere, and adds up to what the reference implementation has",
  (padded) => {
    const band = makeBand(padded, 0, padded / 2);
    const random = seededRandom("slices");
    const expected = emptyPartialVolume(padded);
    const packed = withEngine((engine) => {
      const sum = new SliceSum(engine, padded);
      const tables = putBand(engine, band);
      const values = takeValues(engine, tables);
      for (let slice = 0; slice < 40; slice++) {
        const numbers = Float64Array.from({ length: 2 * band.u.length }, () => Math.fround(random() - 0.5));
        const { rot, tilt, psi } = randomPose(random, 0);
        const matrix = eulerMatrix(rot, tilt, psi);
        engine.floats(values, numbers.length).set(numbers);
        sum.add(values, tables, matrix, 0.5 + slice / 40);
        insertSlice(expected, numbers, band, matrix, 0.5 + slice / 40);
      }
      return sum.pack(5);
    });
    const back = emptyPartialVolume(padded);
    addPacked(back, packed, 5);
    let inside = 0;
    forEachRow(padded, 5, (at, count) => {
      for (let i = at; i < at + count; i++, inside++) {
        expect(back.weights[i]).toBeCloseTo(expected.weights[i]!, 4);
        expect(back.data[2 * i]).toBeCloseTo(expected.data[2 * i]!, 4);
        expect(back.data[2 * i + 1]).toBeCloseTo(expected.data[2 * i + 1]!, 4);
      }
    });
    expect(packed).toHaveLength(3 * inside);
    // Beyond the radius along x.
    expect(expected.weights[6]).toBeGreaterThan(0);
    expect(back.weights[6]).toBe(0);
    const once = back.weights[0]!;
    addPacked(back, packed, 5);
    expect(back.weights[0]).toBe(2 * once);
    expect(() => addPacked(back, packed, 6)).toThrow(/were expected/);
  },
);
