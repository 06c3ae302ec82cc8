import type { Compute } from "../compute.ts";
import { filterVolume, lowPass } from "../fourier-filter.ts";
import { figureOfMerit, fourierShellCorrelation, resolutionAt, type FscCurve } from "../fsc.ts";
import { addNoise } from "../noise.ts";
import { evenViews, randomPose } from "../orientations.ts";
import { reconstruct } from "../reconstruct.ts";
import * as stages from "../stages.ts";
import { symmetryOperators } from "../symmetry.ts";
import { maskVolume, type Volume } from "../volume.ts";
import type { Candidate } from "../kernels/math/candidates.ts";
import type { Matrix3, Pose } from "../kernels/math/euler.ts";
import { seededRandom } from "../../shared/random.ts";
import { betaGal, moleculeMask } from "./betagal.ts";

/** What the demo lets its user choose. */
interface ExperimentOptions {
  readonly particles: number;
  /** Variance of the noise-free images over the whole box ÷ variance of the noise. */
  readonly snr: number;
  readonly seed: string;
}

/** Runs one named stage; whoever gives this shows its progress (0 … 1) and takes its time. */
export type RunStage = <T>(
  name: string,
  work: (onProgress: (fraction: number) => void) => Promise<T>,
) => Promise<T>;

/** Everything the experiment made. */
export interface Experiment {
  readonly truth: Volume;
  /** Both halves together, seen through the figure of merit. */
  readonly recovered: Volume;
  /** Masked map of all particles against the true map, and the two halves against each other. */
  readonly truthFsc: FscCurve;
  readonly halfFsc: FscCurve;
  readonly truePoses: readonly Pose[];
  readonly poses: readonly Candidate[];
  readonly cleanImages: Float32Array;
  readonly images: Float32Array;
}

/*
 * Settings, measured on 800 particles at SNR 0.2 in a box of 64 (bound: FSC-0.5 of 12.2 Å when every pose is known).
 * - The first reference is the true map at 30 Å, a blob: what appears beyond comes from the images. At 20 and 15 Å the search
 *   costs 2 and 2.7 times as much for the same end (12.7 Å each).
 * - Views every 7.5°: 99 % of particles are within 10° after the search, all of them with three candidates; median 4.2°.
 * - Refined against the 30 Å map: median 2.4°, FSC-0.5 12.7 Å. Refined again, each half against its own half map: 2.2° and 12.7 Å.
 *   A third and fourth round change nothing (2.2°, 12.8 Å).
 */
const startResolution = 30;
const viewStep = 7.5;
const keep = 3;
/** Å; particles lie up to so far from the centre of their image. */
const maxShift = 14;
/** Å; fine enough for the refinement to find the summit. */
const shiftStep = 5.3;

/** Particles, references and images of a task: a fraction of a second each, so that a browser that joins late still gets some. */
const blocks = { project: 50, particles: 25, references: 100, refine: 25, insert: 125 };

/** Makes particles from a map, and the map from the particles. */
export async function runExperiment(
  compute: Compute,
  truth: Volume,
  options: ExperimentOptions,
  stage: RunStage,
): Promise<Experiment> {
  const symmetry = symmetryOperators(betaGal.symmetry);
  const random = seededRandom(`poses ${options.seed}`);
  const truePoses = Array.from({ length: options.particles }, () =>
    randomPose(random, maxShift / truth.pixelSize),
  );
  const cleanImages = await stage("Particles", (onProgress) =>
    project(compute, truth, truePoses, { name: "particles", onProgress }),
  );
  const images = addNoise(cleanImages, truth.size ** 2, options.snr, seededRandom(`noise ${options.seed}`));
  const particles = await putStack(compute, images, truth.size);

  const start = filterVolume(truth, lowPass(startResolution));
  const views = evenViews(viewStep, symmetry);
  const references = await stage("References", (onProgress) =>
    project(
      compute,
      start,
      views.map((view) => ({ ...view, psi: 0, originX: 0, originY: 0 })),
      { name: "references", onProgress },
    ),
  );
  const referenceStack = await putStack(compute, references, truth.size);
  const rings = { minRing: 1, maxRing: ringAt(truth, startResolution) };
  const candidates = await stage("Search", (onProgress) =>
    stages.searchStage(compute, particles, referenceStack, views, {
      name: "search",
      onProgress,
      ...rings,
      minRing: 2,
      particleRadius: betaGal.radius / truth.pixelSize,
      shiftRadius: (maxShift + shiftStep / 2) / truth.pixelSize,
      shiftStep: shiftStep / truth.pixelSize,
      keep,
      particleBlock: blocks.particles,
      referenceBlock: blocks.references,
    }),
  );
  const rough = await stage("Refine", (onProgress) =>
    stages.refineStage(compute, particles, [start], candidates, {
      name: "refine",
      onProgress,
      ...rings,
      step: 3,
      endStep: 0.3,
      block: blocks.refine,
    }),
  );
  const mask = moleculeMask(truth);
  const first = await halfMaps(compute, particles, rough, truth, { symmetry, stage, name: "Insert" });
  const firstFsc = fourierShellCorrelation(maskVolume(first[0], mask), maskVolume(first[1], mask));
  const poses = await stage("Refine, each half against its own map", (onProgress) =>
    stages.refineStage(
      compute,
      particles,
      first.map((map) => filterVolume(maskVolume(map, mask), wiener(firstFsc))),
      rough.map((pose) => [pose]),
      {
        name: "refine-halves",
        onProgress,
        minRing: 1,
        maxRing: ringAt(truth, resolutionAt(firstFsc, 0.143)),
        step: 3,
        endStep: 0.3,
        block: blocks.refine,
      },
    ),
  );
  const halves = await halfMaps(compute, particles, poses, truth, { symmetry, stage, name: "Insert again" });
  return { ...compare(truth, halves, mask), truth, truePoses, poses, cleanImages, images };
}

/** Resolutions and the map to look at. */
function compare(
  truth: Volume,
  halves: readonly [Volume, Volume],
  mask: Float32Array,
): Pick<Experiment, "recovered" | "truthFsc" | "halfFsc"> {
  const [a, b] = halves;
  const whole = { ...a, data: a.data.map((value, i) => (value + b.data[i]!) / 2) };
  const halfFsc = fourierShellCorrelation(maskVolume(a, mask), maskVolume(b, mask));
  const truthFsc = fourierShellCorrelation(maskVolume(truth, mask), maskVolume(whole, mask));
  return { halfFsc, truthFsc, recovered: maskVolume(filterVolume(whole, figureOfMerit(halfFsc)), mask) };
}

/** The filter for a reference: signal ÷ (signal + noise) of the half map's own amplitudes. */
function wiener(curve: FscCurve): (frequency: number) => number {
  const merit = figureOfMerit(curve);
  return (frequency) => merit(frequency) ** 2;
}

/** The ring just beyond a resolution, cycles per box; inside Nyquist. */
function ringAt({ size, pixelSize }: Volume, resolution: number): number {
  return Math.min(size / 2 - 1, Math.ceil((size * pixelSize) / resolution) + 1);
}

async function putStack(compute: Compute, images: Float32Array, box: number): Promise<stages.ImageStack> {
  return { ref: await compute.put(stages.bytesOf(images)), count: images.length / box ** 2, box };
}

function project(
  compute: Compute,
  map: Volume,
  poses: readonly Pose[],
  options: stages.StageOptions,
): Promise<Float32Array> {
  return stages.projectStage(compute, map, poses, {
    ...options,
    maxRadius: map.size / 2,
    block: blocks.project,
  });
}

async function halfMaps(
  compute: Compute,
  particles: stages.ImageStack,
  poses: readonly Pose[],
  { size, pixelSize }: Volume,
  { symmetry, stage, name }: { symmetry: readonly Matrix3[]; stage: RunStage; name: string },
): Promise<[Volume, Volume]> {
  const maxRadius = size / 2;
  const [a, b] = await stage(name, (onProgress) =>
    stages.insertStage(compute, particles, poses, {
      name: name.toLowerCase().replaceAll(" ", "-"),
      onProgress,
      symmetry,
      maxRadius,
      parts: 2,
      block: blocks.insert,
    }),
  );
  return [reconstruct(a!, size, pixelSize, maxRadius), reconstruct(b!, size, pixelSize, maxRadius)];
}
