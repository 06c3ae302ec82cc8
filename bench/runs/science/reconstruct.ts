import { betaGal, loadBetaGal } from "../../../science/demo/betagal.ts";
import { computeHere } from "../../../science/compute-here.ts";
import type { Compute } from "../../../science/compute.ts";
import { filterVolume, lowPass } from "../../../science/fourier-filter.ts";
import { halfSets } from "../../../science/half-sets.ts";
import { addNoise } from "../../../science/noise.ts";
import { randomPose } from "../../../science/orientations.ts";
import { reconstructHalves, refinementRound } from "../../../science/refinement.ts";
import type { RunStage } from "../../../science/stage-settings.ts";
import { projectStage } from "../../../science/stages.ts";
import type { Volume } from "../../../science/volume.ts";
import type { Pose } from "../../../science/kernels/math/euler.ts";
import { seededRandom } from "../../../shared/random.ts";

/** Noisy images of β-galactosidase in random poses, and the map that the first round matches them with. */
export interface Particles {
  readonly images: Float32Array;
  readonly poses: readonly Pose[];
  readonly start: Volume;
}

/** The same particles every time. */
export async function makeParticles(count: number, box = 64): Promise<Particles> {
  const map = await loadBetaGal(box);
  const random = seededRandom("reconstruct bench");
  const poses = Array.from({ length: count }, () => randomPose(random, 14 / map.pixelSize));
  const options = { name: "particles", maxRadius: map.size / 2, block: 500 };
  const clean = await projectStage(computeHere(), map, poses, options);
  const images = addNoise(clean, map.size ** 2, 0.2, seededRandom("reconstruct noise"));
  return { images, poses, start: filterVolume(map, lowPass(30)) };
}

/** The parameters of examples/reconstruct.ts for these particles. */
const settingsOf = ({ start }: Particles) => ({
  symmetry: betaGal.symmetry,
  pixelSize: start.pixelSize,
  maskRadius: betaGal.radius,
});

/**
 * The maps of both halves with known poses, as examples/reconstruct.ts makes them without rounds.
 * @returns seconds until the maps are there
 */
export async function insertOnce(compute: Compute, particles: Particles): Promise<number> {
  const { images, poses, start } = particles;
  const begun = performance.now();
  const halves = halfSets(compute, images, start.size, poses, undefined);
  await reconstructHalves(compute, halves, settingsOf(particles), (_, work) => work(() => undefined));
  return (performance.now() - begun) / 1000;
}

/**
 * The first round of examples/reconstruct.ts with both halves: project, match, refine, insert.
 * @returns seconds of each stage, by its first word, and of the whole round with the customer's work between stages
 */
export async function reconstructOnce(
  compute: Compute,
  particles: Particles,
): Promise<Record<string, number>> {
  const { images, poses, start } = particles;
  const seconds: Record<string, number> = {};
  const stage: RunStage = async (name, work) => {
    const begun = performance.now();
    const result = await work(() => undefined);
    seconds[name.split(/\W/)[0] ?? name] = (performance.now() - begun) / 1000;
    return result;
  };
  const begun = performance.now();
  const halves = halfSets(compute, images, start.size, poses, undefined);
  const settings = {
    ...settingsOf(particles),
    startResolution: 30,
    viewStep: 7.5,
    maxShift: 14,
  };
  await refinementRound(compute, halves, { start, round: 1 }, settings, stage);
  return { ...seconds, total: (performance.now() - begun) / 1000 };
}
