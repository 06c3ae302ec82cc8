import type { Volume } from "./volume.ts";

/** Runs one named stage; whoever gives this shows its progress (0 … 1) and may take its time. */
export type RunStage = <T>(
  name: string,
  work: (onProgress: (fraction: number) => void) => Promise<T>,
) => Promise<T>;

/**
 * Images, particles and references of a task: a fraction of a second each (measured on 800 particles in a box of 64), so that a
 * client that joins late still gets some.
 */
export const blockSizes = { project: 50, particles: 25, references: 100, refine: 25, insert: 125 };

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
