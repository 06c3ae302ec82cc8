import { beforeAll, describe, expect, test } from "vitest";
import { computeHere } from "../../../science/compute-here.ts";
import type { KernelInput, KernelName, KernelOutput } from "../../../science/compute.ts";
import { halfSets } from "../../../science/half-sets.ts";
import { addNoise } from "../../../science/noise.ts";
import { randomPose } from "../../../science/orientations.ts";
import { posesOf, reconstructHalves, refinementRound } from "../../../science/refinement.ts";
import { bytesOf } from "../../../science/stacks.ts";
import { projectStage } from "../../../science/stages.ts";
import type { Volume } from "../../../science/volume.ts";
import { angleBetween, eulerMatrix } from "../../../science/kernels/math/euler.ts";
import { seededRandom } from "../../../shared/random.ts";
import { phantom } from "../../support/phantom.ts";

const box = 24;
const area = box * box;
const compute = computeHere();
const map = phantom(box);
const random = seededRandom("greys");
const poses = Array.from({ length: 24 }, () => randomPose(random, 1.5));
let clean: Float32Array;
let noisy: Float32Array;
beforeAll(async () => {
  clean = await projectStage(compute, map, poses, { name: "greys", maxRadius: 12, block: 24 });
  noisy = addNoise(clean, area, 1, seededRandom("noise"));
});

async function one<K extends KernelName>(kernel: K, input: KernelInput<K>): Promise<KernelOutput<K>> {
  for await (const { output } of compute.map(kernel, [input], { name: kernel })) return output;
  throw new Error("no output");
}

const put = (images: Float32Array) => compute.put(bytesOf(images));
const search = { box, minRing: 1, maxRing: 8, particleRadius: 9, shiftRadius: 2, shiftStep: 1 };

/** Results of each kernel that must not depend on the scale and offset of the images' grey values. */
const results: Record<string, (images: Float32Array) => Promise<Float32Array | Float64Array>> = {
  "simmx: scores, shifts, angles": async (images) =>
    one("simmx", {
      ...search,
      particles: [await put(images)],
      references: [await put(images.subarray(0, 4 * area))],
      mirror: true,
    }),
  "align: candidates": async (images) =>
    one("align", {
      ...search,
      particles: [await put(images)],
      references: [await put(images.subarray(0, 4 * area))],
      views: new Float64Array(8),
      firstReference: 0,
      keep: 2,
    }),
  "average: the average": async (images) =>
    (
      await one("average", {
        ...search,
        particles: [await put(images)],
        reference: null,
        mirror: true,
        iterations: 2,
        keep: 0.8,
      })
    ).average,
  "average without a background": async (images) =>
    (
      await one("average", {
        ...search,
        particleRadius: 20,
        particles: [await put(images)],
        reference: null,
        mirror: true,
        iterations: 2,
        keep: 0.8,
      })
    ).average,
  "reconstruct: the correlation of the halves": async (images) => {
    const halves = halfSets(compute, images, box, poses);
    const settings = { symmetry: "C1", pixelSize: 2, maskRadius: 16 };
    const { fsc } = await reconstructHalves(compute, halves, settings, (_, work) => work(() => undefined));
    return Float64Array.from(fsc.values);
  },
};

// The offset uses up digits of the 32-bit pixels.
describe.each([
  { scale: 1000, offset: 50, digits: 4 },
  { scale: 1, offset: 10, digits: 4 },
  { scale: 1e-9, offset: 0, digits: 4 },
  { scale: 1e9, offset: -1e11, digits: 3 },
])("[IMAGE-5] grey values × $scale + $offset do not change", ({ scale, offset, digits }) => {
  test.each(Object.keys(results))("%s", async (name) => {
    const greys = (images: Float32Array): Float32Array => images.map((value) => value * scale + offset);
    const [before, after] = [await results[name]!(noisy), await results[name]!(greys(noisy))];
    expect(after).toHaveLength(before.length);
    after.forEach((value, i) => expect(value).toBeCloseTo(before[i]!, digits));
  });
});

test.each([
  { scale: 1, offset: 0.5 },
  { scale: 1000, offset: -50 },
])(
  "[IMAGE-5] poses do not depend on the densities of the first reference × $scale + $offset",
  async ({ scale, offset }) => {
    const halves = halfSets(compute, noisy, box, poses);
    const settings = {
      symmetry: "C1",
      pixelSize: 2,
      maskRadius: 16,
      startResolution: 12,
      viewStep: 30,
      maxShift: 4,
    };
    const refined = async (start: Volume) => {
      const round = await refinementRound(compute, halves, { start, round: 1 }, settings, (_, work) =>
        work(() => undefined),
      );
      return posesOf(round.halves);
    };
    const expected = await refined(map);
    const found = await refined({ ...map, data: map.data.map((value) => value * scale + offset) });
    found.forEach((pose, i) => {
      const turn = angleBetween(
        eulerMatrix(pose.rot, pose.tilt, pose.psi),
        eulerMatrix(expected[i]!.rot, expected[i]!.tilt, expected[i]!.psi),
      );
      expect(turn).toBeLessThan(0.5);
    });
  },
);

test("the average of masked particles, flat outside, does not depend on their scale", async () => {
  const masked = noisy.map((value, i) => {
    const [x, y] = [(i % box) - box / 2, (Math.floor(i / box) % box) - box / 2];
    return Math.hypot(x, y) > 8 ? 0 : value;
  });
  const average = results["average: the average"]!;
  const [before, after] = [await average(masked), await average(masked.map((value) => 0.1 + 1000 * value))];
  after.forEach((value, i) => expect(value).toBeCloseTo(before[i]!, 4));
  expect(Math.max(...before.map(Math.abs))).toBeLessThan(100);
});

test("an image that is blank matches nothing, and spoils nothing", async () => {
  const particles = noisy.slice();
  particles.fill(7, 0, area);
  const input = {
    ...search,
    particles: [await put(particles)],
    references: [await put(clean)],
    mirror: false,
  };
  const elements = await one("simmx", input);
  expect([...elements.subarray(0, 5 * 24)].filter((_, i) => i % 5 === 0)).toEqual(
    Array.from({ length: 24 }, () => 0),
  );
  const alone = await one("simmx", { ...input, particles: [await put(noisy.subarray(area))] });
  expect(elements.subarray(5 * 24)).toEqual(alone);
});

test("the density of a map is as that of its particles, whatever grey their background has", async () => {
  const grey = clean.map((value) => value + 3);
  const halves = halfSets(compute, grey, box, poses);
  const settings = { symmetry: "C1", pixelSize: 2, maskRadius: 16 };
  const plain = halfSets(compute, clean, box, poses);
  const [whole, expected] = await Promise.all(
    [halves, plain].map(
      async (sets) =>
        (await reconstructHalves(compute, sets, settings, (_, work) => work(() => undefined))).whole,
    ),
  );
  const peak = Math.max(...expected!.data);
  whole!.data.forEach((value, i) => expect(Math.abs(value - expected!.data[i]!)).toBeLessThan(1e-4 * peak));
});
