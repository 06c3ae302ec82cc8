import { checkRange } from "./kernels/math/checks.ts";
import type { Candidate } from "./kernels/math/candidates.ts";
import type { Pose } from "./kernels/math/euler.ts";
import type { PartialVolume } from "./kernels/math/partial-volume.ts";
import type { Compute } from "./compute.ts";
import { filterVolume, lowPass } from "./fourier-filter.ts";
import { figureOfMerit, fourierShellCorrelation, resolutionAt, wienerFilter, type FscCurve } from "./fsc.ts";
import type { HalfSet } from "./half-sets.ts";
import { centredPose, evenViews } from "./orientations.ts";
import { reconstruct } from "./reconstruct.ts";
import {
  insertBlock,
  keptCandidates,
  projectBlock,
  refineSteps,
  ringAt,
  searchShiftStep,
  taskParticles,
  taskReferences,
  type RunStage,
} from "./stage-settings.ts";
import { putStack, type ImageStack } from "./stacks.ts";
import * as stages from "./stages.ts";
import { symmetryOperators } from "./symmetry.ts";
import { maskVolume, softSphere, withoutBackground, type Volume } from "./volume.ts";

/** Parameters of the maps of two halves; lengths in Å. */
interface ReconstructionSettings {
  readonly symmetry: string;
  readonly pixelSize: number;
  /** Radius of the soft sphere within which maps are compared. */
  readonly maskRadius: number;
}

/** Parameters of the search for poses; angles in degrees, lengths in Å. */
export interface RefinementSettings extends ReconstructionSettings {
  /** Resolution limit of the first reference. */
  readonly startResolution: number;
  readonly viewStep: number;
  /** Largest distance of a particle from the centre of its image. */
  readonly maxShift: number;
}

/** The two halves' maps, the map of all particles, and the agreement of the halves inside the mask. */
export interface Reconstruction {
  readonly halves: readonly [Volume, Volume];
  /** Map of all particles, neither filtered nor masked. */
  readonly whole: Volume;
  readonly fsc: FscCurve;
  /** Å at which the halves' correlation falls below 0.143. */
  readonly resolution: number;
}

/** Degrees; 165,000 directions without symmetry, each of which is compared with each particle. */
const finestViewStep = 0.5;

/** Makes the maps of particles whose poses are known. */
export async function reconstructHalves(
  compute: Compute,
  halves: readonly [HalfSet, HalfSet],
  settings: ReconstructionSettings,
  stage: RunStage,
  name = "Insert",
): Promise<Reconstruction> {
  const { pixelSize } = settings;
  const symmetry = symmetryOperators(settings.symmetry);
  const mapOf = (sum: PartialVolume, box: number): Volume => reconstruct(sum, box, pixelSize, box / 2);
  let total: PartialVolume | undefined;
  const maps = await stage(name, (onProgress) =>
    bothHalves(halves, onProgress, async (stack, half, progress) => {
      const { box } = stack;
      const [sum] = await stages.insertStage(compute, stack, halves[half - 1]!.poses, {
        name: `${name}, half ${half}`,
        onProgress: progress,
        symmetry,
        maxRadius: box / 2,
        parts: 1,
        block: insertBlock(box),
      });
      // The map of the half that comes first is made while kernels work on the other one.
      total = total ? addSums(total, sum!) : copyOf(sum!);
      return mapOf(sum!, box);
    }),
  );
  const mask = maskOf(maps[0], settings.maskRadius);
  const fsc = fourierShellCorrelation(maskVolume(maps[0], mask), maskVolume(maps[1], mask));
  return { halves: maps, whole: mapOf(total!, maps[0].size), fsc, resolution: resolutionAt(fsc, 0.143) };
}

/**
 * A round of gold-standard refinement: new poses for both halves, each against its own reference, and new maps.
 *
 * The first round (no `before`) searches all orientations with projections of `start`, the same for both halves but at
 * `startResolution` at best; later rounds begin with the former poses and compare each half with its own map.
 */
export async function refinementRound(
  compute: Compute,
  halves: readonly [HalfSet, HalfSet],
  {
    start,
    before,
    round,
  }: { readonly start: Volume; readonly before?: Reconstruction; readonly round: number },
  settings: RefinementSettings,
  stage: RunStage,
): Promise<{ halves: [HalfSet, HalfSet]; reconstruction: Reconstruction }> {
  const low = filterVolume(withoutBackground(start), lowPass(settings.startResolution));
  const candidates = before
    ? halves.map(({ poses }) => poses.map((pose) => [{ ...pose, score: 0, reference: 0 }]))
    : await searchAll(compute, halves, low, settings, stage);
  const references = before ? before.halves.map((map) => referenceOf(map, before, settings)) : [low, low];
  const resolution = before?.resolution ?? settings.startResolution;
  const poses = await stage(`Refine, round ${round}`, (onProgress) =>
    bothHalves(halves, onProgress, (stack, half, progress) =>
      stages.refineStage(compute, stack, [references[half - 1]!], candidates[half - 1]!, {
        name: `Refine, round ${round}, half ${half}`,
        onProgress: progress,
        minRing: 1,
        maxRing: ringAt(start, resolution),
        ...refineSteps,
        block: taskParticles(stack.count, stack.box),
      }),
    ),
  );
  const refined = halves.map((half, i): HalfSet => ({ ...half, poses: poses[i]! })) as [HalfSet, HalfSet];
  const reconstruction = await reconstructHalves(compute, refined, settings, stage, `Insert, round ${round}`);
  return { halves: refined, reconstruction };
}

/** The map of all particles for display: each shell weighted by its figure of merit, the surroundings masked. */
export function presentable({ whole, fsc }: Reconstruction, maskRadius: number): Volume {
  return maskVolume(filterVolume(whole, figureOfMerit(fsc)), maskOf(whole, maskRadius));
}

/** Poses of the whole data set, in its order. */
export function posesOf(halves: readonly HalfSet[]): Pose[] {
  const poses: Pose[] = [];
  for (const half of halves) half.members.forEach((member, i) => (poses[member] = half.poses[i]!));
  return poses;
}

async function searchAll(
  compute: Compute,
  halves: readonly [HalfSet, HalfSet],
  start: Volume,
  settings: RefinementSettings,
  stage: RunStage,
): Promise<Candidate[][][]> {
  const { pixelSize, maxShift } = settings;
  checkRange("view step (degrees)", settings.viewStep, finestViewStep, 90);
  const views = evenViews(settings.viewStep, symmetryOperators(settings.symmetry));
  const projections = await stage("Project the first reference", (onProgress) =>
    stages.projectStage(compute, start, views.map(centredPose), {
      name: "Project the first reference",
      onProgress,
      maxRadius: start.size / 2,
      block: projectBlock,
    }),
  );
  const references = await putStack(compute, projections, start.size, { task: taskReferences(start.size) });
  return stage("Match all orientations", (onProgress) =>
    bothHalves(halves, onProgress, (stack, half, progress) =>
      stages.searchStage(compute, stack, references, views, {
        name: `Match, half ${half}`,
        onProgress: progress,
        minRing: 2,
        maxRing: ringAt(start, settings.startResolution),
        particleRadius: settings.maskRadius / pixelSize,
        shiftRadius: (maxShift + searchShiftStep / 2) / pixelSize,
        shiftStep: searchShiftStep / pixelSize,
        keep: keptCandidates,
        particleBlock: taskParticles(stack.count, stack.box),
        referenceBlock: taskReferences(stack.box),
      }),
    ),
  );
}

/** A half map as the next round's reference, masked. */
function referenceOf(map: Volume, { fsc }: Reconstruction, { maskRadius }: ReconstructionSettings): Volume {
  return filterVolume(maskVolume(map, maskOf(map, maskRadius)), wienerFilter(fsc));
}

/** Runs a stage on both halves, their jobs side by side, and shows them as one stage. */
async function bothHalves<T>(
  halves: readonly [HalfSet, HalfSet],
  onProgress: (fraction: number) => void,
  work: (stack: ImageStack, half: 1 | 2, progress: (fraction: number) => void) => Promise<T>,
): Promise<[T, T]> {
  const done = { 1: 0, 2: 0 };
  const on = async (half: 1 | 2): Promise<T> =>
    work(await halves[half - 1]!.stack, half, (fraction) => {
      done[half] = fraction;
      onProgress((done[1] + done[2]) / 2);
    });
  return Promise.all([on(1), on(2)]);
}

function addSums(a: PartialVolume, b: PartialVolume): PartialVolume {
  addTo(a.data, b.data);
  addTo(a.weights, b.weights);
  return a;
}

function addTo(sum: Float32Array, more: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += more[i]!;
}

function copyOf({ padded, data, weights }: PartialVolume): PartialVolume {
  return { padded, data: data.slice(), weights: weights.slice() };
}

function maskOf({ size, pixelSize }: Volume, maskRadius: number): Float32Array {
  const edge = 14 / pixelSize;
  return softSphere(size, Math.min(maskRadius / pixelSize, size / 2 - edge - 1), edge);
}
