import { particleStar } from "../../science/particle-star-write.ts";
import { imageName } from "../../science/star.ts";
import type { Pose } from "../../science/kernels/math/euler.ts";
import type { ImageSet } from "./images.ts";
import { stackName } from "./stack-paths.ts";

/** Results of a program for particles; each list has a value for each particle. */
export interface ParticleResults {
  readonly poses: readonly Pose[];
  readonly subsets: readonly number[];
  /** By label. */
  readonly columns?: Readonly<Record<string, readonly number[]>>;
}

/**
 * The particles of a program as a STAR file for its output directory. Columns and optics groups of the input file are kept;
 * particles that were left out are missing.
 */
export function resultStar(
  set: ImageSet,
  { poses, ...results }: ParticleResults,
  { out, project }: { readonly out: string; readonly project?: string },
): string {
  const { rows, pixelSize, box, tables } = set;
  return particleStar(poses, {
    images: rows.map(({ index, stack }) => imageName(index, stackName(stack, out, project))),
    pixelSize,
    box,
    ...results,
    ...(tables && { source: { tables, rows: rows.map(({ row }) => row!) } }),
  });
}

/** A program's closing sentence on how its STAR file names stacks. */
export function pathsSummary(name: string, { out, project }: { out: string; project?: string }): string {
  return project === undefined
    ? `${name} names stacks from ${out}; for RELION, which names them from its project directory, add --project <directory>`
    : `${name} names stacks from ${project}`;
}
