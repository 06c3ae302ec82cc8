import type { Volume } from "./volume.ts";

/** Runs a named stage; an implementation may show the stage's progress (0 … 1) and measure its time. */
export type RunStage = <T>(
  name: string,
  work: (onProgress: (fraction: number) => void) => Promise<T>,
) => Promise<T>;

/**
 * Images, particles and references of a task: a fraction of a second each (measured on 800 particles in a box of 64), so that a
 * client that joins late still gets some.
 */
export const blockSizes = { project: 50, particles: 25, references: 100, refine: 25 };

/**
 * Particles of a task that inserts: up to 24 MiB of images. The tasks are larger than others because each gives a partial volume of megabytes: 600 particles
 * in a box of 96 take 0.4 s and give 22 MB.
 */
export function insertBlock(box: number): number {
  return Math.max(1, Math.min(1000, Math.floor((24 * 2 ** 20) / (4 * box * box))));
}

/** Candidates that the search leaves to the refinement: enough for 99 % of particles at 7.5° a view. */
export const keptCandidates = 3;

/** Å; fine enough for the refinement to find the summit. */
export const searchShiftStep = 5.3;

/** Degrees. */
export const refineSteps = { step: 3, endStep: 0.3 };

/** The ring just beyond a resolution, cycles per box; inside Nyquist. */
export function ringAt({ size, pixelSize }: Volume, resolution: number): number {
  return Math.min(size / 2 - 1, Math.ceil((size * pixelSize) / resolution) + 1);
}
