import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { betaGal, loadBetaGal } from "../../science/demo/betagal.ts";
import { computeHere } from "../../science/compute-here.ts";
import { filterVolume, lowPass } from "../../science/fourier-filter.ts";
import { writeMrc } from "../../science/mrc.ts";
import { addNoise } from "../../science/noise.ts";
import { centredPose, evenViews, randomPose } from "../../science/orientations.ts";
import { projectStage } from "../../science/stages.ts";
import { particleStar } from "../../science/particle-star-write.ts";
import { symmetryOperators } from "../../science/symmetry.ts";
import type { Volume } from "../../science/volume.ts";
import type { Pose } from "../../science/kernels/math/euler.ts";
import { seededRandom } from "../../shared/random.ts";
import { makeDirectory } from "../../system/make-directory.ts";

/** Number and properties of simulated images of β-galactosidase. */
export interface SampleOptions {
  readonly particles: number;
  /** Pixels of an image a side; up to 64 show the same 227 Å at a finer sampling. */
  readonly box: number;
  /** Variance of the noise-free images over the whole box ÷ variance of the noise. */
  readonly snr: number;
}

/** Å; largest distance of a particle from the centre of its image. */
const maxShift = 14;

/**
 * Writes simulated images of β-galactosidase (data/betaGal.mrc), the same in every run, each in one of `views` directions and
 * every other image mirrored: `references.mrcs`, `particles.mrcs`, and `particles.star` with the class of each.
 */
export async function writeClassSample(
  directory: string,
  views: number,
  options: SampleOptions,
): Promise<{ references: string; particles: string }> {
  const map = await loadBetaGal(options.box);
  const random = seededRandom("class sample");
  const all = evenViews(15, symmetryOperators(betaGal.symmetry));
  const chosen = Array.from({ length: views }, (_, i) => all[Math.floor((i * all.length) / views)]!);
  const centred = chosen.map(centredPose);
  const classes = Array.from({ length: options.particles }, (_, i) => i % views);
  const poses = classes.map((which): Pose => {
    const { psi, originX, originY } = randomPose(random, maxShift / map.pixelSize);
    return { ...chosen[which]!, psi, originX, originY };
  });
  const clean = await project(map, poses);
  const area = map.size ** 2;
  classes.forEach((_, i) => {
    if (Math.floor(i / views) % 2) flip(clean.subarray(i * area, (i + 1) * area), map.size);
  });
  const images = addNoise(clean, area, options.snr, seededRandom("class sample noise"));
  makeDirectory(directory);
  const references = join(directory, "references.mrcs");
  await writeFile(references, stack(await project(map, centred), map));
  // The table has the class only, because the program is to find the alignment.
  const unknown = poses.map(() => ({ rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 }));
  const columns = { rlnClassNumber: classes.map((which) => which + 1) };
  return { references, particles: await writeParticles(directory, images, map, unknown, columns) };
}

/**
 * Writes simulated images of β-galactosidase in random poses: `particles.mrcs`, `particles.star` with the true poses, and
 * `start.mrc`, the map at 30 Å.
 */
export async function writePoseSample(
  directory: string,
  options: SampleOptions,
): Promise<{ start: string; particles: string }> {
  const map = await loadBetaGal(options.box);
  const random = seededRandom("pose sample");
  const poses = Array.from({ length: options.particles }, () => randomPose(random, maxShift / map.pixelSize));
  const images = addNoise(
    await project(map, poses),
    map.size ** 2,
    options.snr,
    seededRandom("pose sample noise"),
  );
  makeDirectory(directory);
  const start = join(directory, "start.mrc");
  const { data } = filterVolume(map, lowPass(30));
  const dimensions = [map.size, map.size, map.size] as const;
  await writeFile(start, writeMrc(data, { dimensions, pixelSize: map.pixelSize }));
  return { start, particles: await writeParticles(directory, images, map, poses, {}) };
}

async function writeParticles(
  directory: string,
  images: Float32Array,
  map: Volume,
  poses: readonly Pose[],
  columns: Readonly<Record<string, readonly number[]>>,
): Promise<string> {
  await writeFile(join(directory, "particles.mrcs"), stack(images, map));
  const particles = join(directory, "particles.star");
  const subsets = poses.map((_, i) => (i % 2) + 1);
  const contents = {
    images: "particles.mrcs",
    pixelSize: map.pixelSize,
    box: map.size,
    subsets,
    columns,
  };
  await writeFile(particles, particleStar(poses, contents));
  return particles;
}

function project(map: Volume, poses: readonly Pose[]): Promise<Float32Array> {
  return projectStage(computeHere(), map, poses, { name: "sample", maxRadius: map.size / 2, block: 500 });
}

function stack(images: Float32Array, { size, pixelSize }: Volume): Uint8Array {
  const dimensions = [size, size, images.length / size ** 2] as const;
  return writeMrc(images, { dimensions, pixelSize, stack: true });
}

/**
 * Flips an image left to right about its centre pixel. The first column has no partner, so it gets the values of its neighbour.
 */
function flip(image: Float32Array, box: number): void {
  for (let y = 0; y < box; y++) {
    const row = image.subarray(y * box, (y + 1) * box);
    row.subarray(1).reverse();
    row[0] = row[1]!;
  }
}
