import { writeFile } from "node:fs/promises";
import { betaGal, loadBetaGal } from "../../../science/demo/betagal.ts";
import { computeHere } from "../../../science/compute-here.ts";
import { filterVolume, lowPass } from "../../../science/fourier-filter.ts";
import { addNoise } from "../../../science/noise.ts";
import { centredPose, evenViews, randomPose } from "../../../science/orientations.ts";
import { projectStage } from "../../../science/stages.ts";
import { symmetryOperators } from "../../../science/symmetry.ts";
import { Background } from "../../../science/kernels/math/background.ts";
import type { SearchParameters } from "../../../science/kernels/math/checks.ts";
import { shiftGrid } from "../../../science/kernels/math/rotational-search.ts";
import { seededRandom } from "../../../shared/random.ts";

/** A task of the demo's search, for the kernel and for align.c. */
export interface AlignTask extends SearchParameters {
  readonly particles: Float32Array;
  readonly references: Float32Array;
  /** rot and tilt of each reference. */
  readonly views: Float64Array;
}

/** 25 noisy particles and 100 references of β-galactosidase in a box of 64, the band to 30 Å: the same every time. */
export async function makeAlignTask(): Promise<AlignTask> {
  const map = await loadBetaGal(64);
  const compute = computeHere();
  const project = async (
    volume: typeof map,
    poses: Parameters<typeof projectStage>[2],
  ): Promise<Float32Array> =>
    projectStage(compute, volume, poses, { name: "bench", maxRadius: volume.size / 2, block: 100 });
  const random = seededRandom("align bench");
  const poses = Array.from({ length: 25 }, () => randomPose(random, 14 / map.pixelSize));
  const views = evenViews(7.5, symmetryOperators(betaGal.symmetry)).slice(0, 100);
  const start = filterVolume(map, lowPass(30));
  return {
    box: map.size,
    minRing: 2,
    maxRing: Math.ceil((map.size * map.pixelSize) / 30) + 1,
    particleRadius: betaGal.radius / map.pixelSize,
    shiftRadius: (14 + 5.3 / 2) / map.pixelSize,
    shiftStep: 5.3 / map.pixelSize,
    particles: addNoise(await project(map, poses), map.size ** 2, 0.2, seededRandom("align noise")),
    references: await project(start, views.map(centredPose)),
    views: Float64Array.from(views.flatMap(({ rot, tilt }) => [rot, tilt])),
  };
}

/** Writes a task as align.c reads it. */
export async function writeAlignTask(task: AlignTask, file: string): Promise<void> {
  const area = task.box ** 2;
  const shifts = shiftGrid(task.shiftRadius, task.shiftStep).flatMap(({ x, y }) => [x, y]);
  const counts = [shifts.length / 2, task.references.length / area, task.particles.length / area];
  const header = Int32Array.of(task.box, task.minRing, task.maxRing, ...counts);
  const numbers = Float32Array.of(task.particleRadius, ...shifts);
  const images = [task.references, task.particles].map((stack) => withoutGrey(task, stack));
  await writeFile(file, Buffer.concat([header, numbers, ...images].map((part) => Buffer.from(part.buffer))));
}

/**
 * Subtracts the background as the kernel does first. align.c leaves this out, because only the arithmetic after it is compared.
 */
function withoutGrey({ box, particleRadius }: AlignTask, stack: Float32Array): Float32Array {
  const background = new Background(box, particleRadius);
  const images = stack.slice();
  for (let at = 0; at < images.length; at += box * box) {
    const image = images.subarray(at, at + box * box);
    const mean = background.meanOf(image);
    image.forEach((value, i) => (image[i] = value - mean));
  }
  return images;
}
