import { imagesOfBlob } from "./stacks.ts";
import type { Volume } from "./volume.ts";

/** Runs a named stage; an implementation may show the stage's progress (0 … 1) and measure its time. */
export type RunStage = <T>(
  name: string,
  work: (onProgress: (fraction: number) => void) => Promise<T>,
) => Promise<T>;

/** Images of a task that projects a map. */
export const projectBlock = 50;

/**
 * Particles of a task that matches or refines, about a millisecond each: 16 tasks or more, so that a client that joins late still gets some,
 * of at most 200 particles in one blob. With 25 particles a task the matching of 4,000 in a box of 96 took two slots as long as one thread,
 * because every task read its references for 10 ms of work.
 */
export function taskParticles(count: number, box: number): number {
  return Math.min(Math.max(25, Math.ceil(count / 16)), 200, imagesOfBlob(box));
}

/** References of a task that matches. */
export function taskReferences(box: number): number {
  return Math.min(400, imagesOfBlob(box));
}

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
