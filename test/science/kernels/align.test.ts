import { expect, test } from "vitest";
import { computeHere } from "../../../science/compute-here.ts";
import { addNoise } from "../../../science/noise.ts";
import { centredPose, evenViews, randomPose } from "../../../science/orientations.ts";
import { putStack, type ImageStack } from "../../../science/stacks.ts";
import * as stages from "../../../science/stages.ts";
import { orientationError, symmetryOperators } from "../../../science/symmetry.ts";
import { shiftGrid } from "../../../science/kernels/math/rotational-search.ts";
import {
  packCandidates,
  unpackCandidates,
  type Candidate,
} from "../../../science/kernels/math/candidates.ts";
import { eulerMatrix, type Pose } from "../../../science/kernels/math/euler.ts";
import { seededRandom } from "../../../shared/random.ts";
import { phantom } from "../../support/phantom.ts";

const box = 32;
const map = phantom(box);
const compute = computeHere();
const identity = symmetryOperators("C1");
const matrix = ({ rot, tilt, psi }: Pose): ReturnType<typeof eulerMatrix> => eulerMatrix(rot, tilt, psi);

function project(poses: readonly Pose[]): Promise<Float32Array> {
  return stages.projectStage(compute, map, poses, { name: "project", maxRadius: box / 2, block: 100 });
}

const stackOf = (images: Float32Array): Promise<ImageStack> => putStack(compute, images, box, { task: 9 });

async function search(particles: ImageStack, keep: number): Promise<Candidate[][]> {
  const views = evenViews(15, identity);
  const references = await project(views.map(centredPose));
  return stages.searchStage(compute, particles, await stackOf(references), views, {
    name: "search",
    minRing: 1,
    maxRing: 7,
    particleRadius: 12,
    shiftRadius: 3,
    shiftStep: 1,
    keep,
    particleBlock: 7,
    referenceBlock: 60,
  });
}

const random = seededRandom("align");
const poses = Array.from({ length: 20 }, () => randomPose(random, 2.5));
const images = await project(poses);

/** Angle between the truth and the nearest of a particle's candidates, degrees. */
function nearest(list: readonly Candidate[], particle: number): number {
  const truth = matrix(poses[particle]!);
  return Math.min(...list.map((candidate) => orientationError(matrix(candidate), truth, identity)));
}

test("the search finds noise-free particles to within its grid, and refinement finds them exactly", async () => {
  const particles = await stackOf(images);
  const candidates = await search(particles, 3);
  candidates.forEach((list, i) => {
    expect(nearest(list, i)).toBeLessThan(15);
    expect(list[0]!.score).toBeGreaterThan(0.95);
    expect(list[0]!.score).toBeLessThanOrEqual(1 + 1e-6);
  });
  const refined = await stages.refineStage(compute, particles, [map], candidates, {
    name: "refine",
    minRing: 1,
    maxRing: 10,
    step: 6,
    endStep: 0.1,
    block: 6,
  });
  refined.forEach((best, i) => {
    expect(orientationError(matrix(best), matrix(poses[i]!), identity)).toBeLessThan(0.5);
    expect(Math.hypot(best.originX - poses[i]!.originX, best.originY - poses[i]!.originY)).toBeLessThan(0.05);
    expect(best.score).toBeGreaterThan(0.999);
  });
});

test("a particle that is a reference turned in its plane scores 1 at that angle", async () => {
  const [view] = evenViews(15, identity);
  // 22.5° is on the grid of angles for any power of two.
  const images = await project([{ ...view!, psi: 22.5, originX: 1, originY: -2 }]);
  const [[best] = []] = await search(await stackOf(images), 1);
  expect(best).toMatchObject({ reference: 0, psi: 22.5, originX: 1, originY: -2 });
  expect(best!.score).toBeGreaterThan(0.9995);
});

test("in noise most particles are still found, with lower scores", async () => {
  const noisy = addNoise(images, box * box, 1, seededRandom("noise"));
  const candidates = await search(await stackOf(noisy), 3);
  // By chance three orientations are within 15° of the truth in one particle of 500.
  expect(candidates.filter((list, i) => nearest(list, i) < 15).length).toBeGreaterThanOrEqual(16);
  for (const [best] of candidates) expect(best!.score).toBeLessThan(0.98);
});

test("blocks of any size find the same", async () => {
  const particles = await stackOf(images.slice(0, 3 * box * box));
  const views = evenViews(30, identity);
  const references = await stackOf(await project(views.map(centredPose)));
  const settings = {
    name: "search",
    minRing: 1,
    maxRing: 6,
    particleRadius: 12,
    shiftRadius: 2,
    shiftStep: 1,
    keep: 4,
  };
  const run = (particleBlock: number, referenceBlock: number): Promise<Candidate[][]> =>
    stages.searchStage(compute, particles, references, views, { ...settings, particleBlock, referenceBlock });
  expect(await run(1, 11)).toEqual(await run(100, 100));
});

test("shifts fill a disc, nearest first", () => {
  expect(shiftGrid(0, 1)).toEqual([{ x: 0, y: 0 }]);
  const shifts = shiftGrid(3, 1.5);
  expect(shifts).toHaveLength(13);
  expect(shifts[0]).toEqual({ x: 0, y: 0 });
});

test("candidates survive packing", () => {
  const one: Candidate = { rot: 1, tilt: 2, psi: 3, originX: 4, originY: 5, score: 0.5, reference: 6 };
  const other = { ...one, score: 0.25 };
  expect(unpackCandidates(packCandidates([[one, other], [one]], 2), 2)).toEqual([
    [one, other],
    [one, one],
  ]);
  expect(() => packCandidates([[]], 1)).toThrow(/no candidate/);
});
