import type { Pose } from "./kernels/math/euler.ts";
import { readStar, StarError, type StarTable } from "./star-read.ts";

/** One row of a particle table. */
export interface ParticleRow {
  /** Position in its stack, from 0. */
  readonly index: number;
  /** The stack's file, as the table names it. */
  readonly stack: string;
  readonly pose: Pose;
  /** `rlnClassNumber`, from 1. */
  readonly class?: number;
  /** `rlnRandomSubset`: 1 or 2. */
  readonly subset?: number;
}

/** Particles of one optics group. */
export interface ParticleTable {
  readonly rows: readonly ParticleRow[];
  /** Å. */
  readonly pixelSize: number;
}

/**
 * Reads RELION 3.1 particles. Origins become pixels; angles and origins that are not there are 0.
 * @throws StarError, also for several pixel sizes, which would want images to be scaled first
 */
export function readParticleStar(text: string): ParticleTable {
  const tables = readStar(text);
  const particles = tables.get("particles");
  const optics = tables.get("optics");
  if (!particles || !optics)
    throw new StarError(
      `blocks ${[...tables.keys()].map((name) => `data_${name}`).join(", ") || "none"}; data_optics and data_particles of RELION 3.1 were expected`,
    );
  const pixelSizes = new Set(column(optics, "rlnImagePixelSize").map(Number));
  const [pixelSize] = pixelSizes;
  if (pixelSizes.size !== 1 || !(pixelSize! > 0))
    throw new StarError(`pixel sizes ${[...pixelSizes].join(", ")}; one above 0 was expected`);
  const numbers = (name: string): number[] | undefined =>
    particles.columns.includes(name) ? column(particles, name).map(Number) : undefined;
  const [rot, tilt, psi] = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"].map(numbers);
  const [originX, originY] = ["rlnOriginXAngst", "rlnOriginYAngst"].map(numbers);
  const classes = numbers("rlnClassNumber");
  const subsets = numbers("rlnRandomSubset");
  const rows = column(particles, "rlnImageName").map((name, i): ParticleRow => ({
    ...imageName(name),
    pose: {
      rot: rot?.[i] ?? 0,
      tilt: tilt?.[i] ?? 0,
      psi: psi?.[i] ?? 0,
      originX: (originX?.[i] ?? 0) / pixelSize!,
      originY: (originY?.[i] ?? 0) / pixelSize!,
    },
    ...(classes && { class: classes[i]! }),
    ...(subsets && { subset: subsets[i]! }),
  }));
  return { rows, pixelSize: pixelSize! };
}

function column(table: StarTable, name: string): string[] {
  const at = table.columns.indexOf(name);
  if (at < 0)
    throw new StarError(`no column _${name}; there are ${table.columns.map((c) => `_${c}`).join(", ")}`);
  return table.rows.map((row) => row[at]!);
}

function imageName(name: string): { index: number; stack: string } {
  const match = /^(\d+)@(.+)$/.exec(name);
  if (!match || Number(match[1]) < 1)
    throw new StarError(`image "${name}"; such as 000001@stack.mrcs was expected`);
  return { index: Number(match[1]) - 1, stack: match[2]! };
}
