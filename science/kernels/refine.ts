import type { DataReference } from "../../shared/data-reference.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { Background } from "./math/background.ts";
import { makeBand } from "./math/band.ts";
import { readFourierVolume, readImages } from "./math/blobs.ts";
import { mostCandidates, packCandidates, unpackCandidates, type Candidate } from "./math/candidates.ts";
import { checkClimb, checkFinite, checkWhole } from "./math/checks.ts";
import { eulerAngles, eulerMatrix, multiply, rotationAbout, type Matrix3 } from "./math/euler.ts";
import { halfLength2, RealTransform, spreadRows } from "./math/fft-real.ts";
import type { FourierVolume } from "./math/fourier-volume.ts";
import { SliceScore } from "./math/slice-score.ts";

/** Particles with roughly known orientations to refine against a map. */
type RefineInput = {
  /** `box`³ 32-bit densities, x fastest. */
  readonly map: DataReference;
  /** Images of `box`² 32-bit pixels, x fastest. */
  readonly particles: readonly DataReference[];
  readonly box: number;
  /** `keep` starting points of each particle, packed (math/candidates.ts). */
  readonly candidates: Float64Array;
  readonly keep: number;
  /** Band that is compared, cycles per box. */
  readonly minRing: number;
  readonly maxRing: number;
  /** First and last step of the search, degrees. */
  readonly step: number;
  readonly endStep: number;
};

/** The best pose of each particle, packed as one candidate each. */
type RefineOutput = Float64Array;

/** Most sweeps about one starting point, each of up to seven slices; 6 to 10 are usual. */
const maxSweeps = 24;

/**
 * Improves each starting point by small rotations, with the best shift for each rotation, and keeps the particle's best result.
 */
export default async function refine(input: RefineInput, ctx: KernelContext): Promise<RefineOutput> {
  checkClimb(input);
  checkWhole("keep", input.keep, 1, mostCandidates);
  checkFinite("candidates", input.candidates);
  const starts = unpackCandidates(input.candidates, input.keep);
  const images = await readImages(ctx, input.particles, input.box);
  if (images.length !== starts.length * input.box ** 2)
    throw new RangeError(`candidates of ${starts.length} particles for ${images.length / input.box ** 2}`);
  // The volume comes last, because nothing may be awaited while its engine is in use.
  const volume = await readFourierVolume(ctx, input.map, input.box);
  return packCandidates(climbAll(volume, images, starts, input, ctx), 1);
}

/** The best pose of each particle. */
function climbAll(
  volume: FourierVolume,
  images: Float32Array,
  starts: readonly (readonly Candidate[])[],
  { box, minRing, maxRing, step, endStep }: RefineInput,
  ctx: KernelContext,
): Candidate[][] {
  const { engine } = volume;
  const transform = new RealTransform(engine, box);
  const score = new SliceScore(volume, makeBand(box, minRing, maxRing));
  const background = new Background(box, box / 2);
  const half = engine.take(4 * halfLength2(box));
  return starts.map((candidates, i) => {
    const image = images.subarray(i * box * box, (i + 1) * box * box);
    // A grey level far above the contrast would use up the digits of the contrast.
    const mean = background.meanOf(image);
    spreadRows(
      image.map((value) => value - mean),
      box,
      engine.floats(half, halfLength2(box)),
    );
    transform.forward2(half);
    score.setParticle(half);
    const summits = candidates.map((candidate) => climb(score, candidate, step, endStep));
    ctx.progress((i + 1) / starts.length);
    return [summits.reduce((best, summit) => (summit.score > best.score ? summit : best))];
  });
}

/** Pattern search (Hooke & Jeeves, J. ACM 8 (1961) 212) over rotations about the image's x, y and viewing axes. */
function climb(score: SliceScore, start: Candidate, firstStep: number, endStep: number): Candidate {
  let matrix: Matrix3 = eulerMatrix(start.rot, start.tilt, start.psi);
  let best = score.at(matrix, start.originX, start.originY);
  const attempt = (candidate: Matrix3): boolean => {
    const found = score.at(candidate, best.originX, best.originY);
    if (found.score <= best.score) return false;
    best = found;
    matrix = candidate;
    return true;
  };
  const attemptAxes = (step: number): boolean => {
    let moved = false;
    for (const [x, y, z] of axes) {
      const turn = (angle: number): Matrix3 =>
        multiply(rotationAbout(x * angle, y * angle, z * angle), matrix);
      if (attempt(turn(step)) || attempt(turn(-step))) moved = true;
    }
    return moved;
  };
  let step = firstStep;
  for (let sweep = 0; sweep < maxSweeps && step >= endStep; sweep++) {
    const before = matrix;
    // The whole turn that helped often helps again.
    if (attemptAxes(step)) attempt(multiply(multiply(matrix, transpose(before)), matrix));
    else step /= 2;
  }
  return { ...eulerAngles(matrix), ...best, reference: start.reference };
}

const axes = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
] as const;

function transpose(m: Matrix3): Matrix3 {
  return [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];
}
