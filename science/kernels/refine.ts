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

/** Particles whose orientation is roughly known, to be refined against a map. */
type RefineInput = {
  /** `box`³ 32-bit densities, x fastest. */
  readonly map: DataReference;
  /** `box`² 32-bit pixels an image, x fastest. */
  readonly particles: DataReference;
  readonly box: number;
  /** `keep` starting points of each particle, packed (math/candidates.ts). */
  readonly candidates: Float64Array;
  readonly keep: number;
  /** Band that is compared, cycles per box. */
  readonly minRing: number;
  readonly maxRing: number;
  /** First step of the search and the step at which it ends, degrees. */
  readonly step: number;
  readonly endStep: number;
};

/** The best pose of each particle, packed as one candidate each. */
type RefineOutput = Float64Array;

/** The search about one starting point ends after so many sweeps of up to seven slices at the latest; 6 to 10 are usual. */
const maxSweeps = 24;

/** Climbs from each starting point in small rotations, the best shift found anew for each, and keeps the best summit. */
export default async function refine(input: RefineInput, ctx: KernelContext): Promise<RefineOutput> {
  checkClimb(input);
  checkWhole("keep", input.keep, 1, mostCandidates);
  checkFinite("candidates", input.candidates);
  const starts = unpackCandidates(input.candidates, input.keep);
  const images = await readImages(ctx, input.particles, input.box);
  if (images.length !== starts.length * input.box ** 2)
    throw new RangeError(`candidates of ${starts.length} particles for ${images.length / input.box ** 2}`);
  // Last: nothing may be awaited while the volume's engine is in use.
  const volume = await readFourierVolume(ctx, input.map, input.box);
  return packCandidates(climbAll(volume, images, starts, input, ctx), 1);
}

/** The highest summit of each particle. */
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
    // A grey level far above the contrast would take the digits that tell the particle.
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
    // What helped once often helps again: the same turn as a whole.
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
