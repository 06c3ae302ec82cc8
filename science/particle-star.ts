import type { Pose } from "./kernels/math/euler.ts";
import { opticsGroups, pixelSizeOfParticles } from "./particle-optics.ts";
import { cellName, knownNumbers, textColumn } from "./star-columns.ts";
import { readStar, StarError, type ParticleTables, type StarTable } from "./star-read.ts";

/** A particle: its image in a stack, and its known properties. */
export interface ParticleRow {
  /** Position of the image in its stack, from 0. */
  readonly index: number;
  /** The stack's file, as in the table. */
  readonly stack: string;
  /** Row of the table, from 0; absent without a table. */
  readonly row?: number;
  /** Absent when one of its five numbers is unknown. */
  readonly pose?: Pose;
  /** `rlnClassNumber`, from 1. */
  readonly class?: number;
  /** `rlnRandomSubset`: 1 or 2. */
  readonly subset?: number;
}

/** Particles of images with one pixel size. */
export interface Particles {
  readonly rows: readonly ParticleRow[];
  /** Å. */
  readonly pixelSize: number;
  readonly tables: ParticleTables;
  /** Pixels a side, from the optics; absent when they leave it open. */
  readonly imageSize?: number;
  /** Whether the table has a contrast transfer function, which the programs here do not correct. */
  readonly hasCtf: boolean;
  /** Whether the file has optics but origins in pixels: RELION 3.1 would ignore such origins. */
  readonly hasOddOrigins: boolean;
  /** The reason why rows lack a pose, when some do. */
  readonly posesLack?: string;
}

const angles = { min: -720, max: 720 };
const offsets = { min: -1e5, max: 1e5 };
/** Larger class numbers are errors, and programs allocate a list of that length. */
const classes = { min: 1, max: 100_000, whole: true };

/**
 * Reads particles of RELION 3.1 and later, and those of RELION 3.0, which have no optics. Origins become pixels, from
 * `rlnOriginXAngst` or `rlnOriginX` (pixels).
 *
 * @param apix - pixel size in Å for a table without one, or with one that no origin in Å depends on
 * @throws StarError, with row and column, for a value that is missing, no number, out of range or contradictory
 */
export function readParticleStar(text: string, apix?: number): Particles {
  const tables = particleTables(readStar(text));
  const { particles } = tables;
  const groups = opticsGroups(tables);
  const inPixels = hasOrigins(particles, "");
  const inAngst = hasOrigins(particles, "Angst");
  const pixelSize = pixelSizeOfParticles(tables, groups, apix, inAngst);
  const origins = ["X", "Y"].map((axis) => originsOf(particles, axis, { inPixels, inAngst, pixelSize }));
  const turns = ["Rot", "Tilt", "Psi"].map((name) => knownNumbers(particles, `rlnAngle${name}`, angles));
  const ofClass = knownNumbers(particles, "rlnClassNumber", classes);
  const subsets = knownNumbers(particles, "rlnRandomSubset", { min: 1, max: 2, whole: true });
  const rows = textColumn(particles, "rlnImageName").map((name, row): ParticleRow => {
    const [rot, tilt, psi, originX, originY] = [...turns, ...origins].map((values) => values?.[row]);
    const isKnown = [rot, tilt, psi, originX, originY].every((value) => value !== undefined);
    return {
      ...imageOf(name, () => cellName(particles, row, "rlnImageName")),
      row,
      ...(isKnown && { pose: { rot, tilt, psi, originX, originY } as Pose }),
      ...(ofClass?.[row] !== undefined && { class: ofClass[row] }),
      ...(subsets?.[row] !== undefined && { subset: subsets[row] }),
    };
  });
  const lack = lackOfPoses(rows, particles, inPixels || inAngst);
  return {
    rows,
    pixelSize,
    tables,
    ...(groups?.imageSize !== undefined && { imageSize: groups.imageSize }),
    hasCtf: hasCtf(particles),
    hasOddOrigins: groups !== undefined && inPixels && !inAngst,
    ...(lack !== undefined && { posesLack: lack }),
  };
}

/** The tables of a file: RELION 3.1 has its particles in `data_particles`, older versions in `data_images` or `data_`. */
function particleTables(tables: ReadonlyMap<string, StarTable>): ParticleTables {
  const optics = tables.get("optics");
  const particles =
    tables.get("particles") ?? (optics ? undefined : (tables.get("images") ?? tables.get("")));
  if (particles) return { particles, ...(optics && { optics }) };
  const found = [...tables.keys()].map((name) => `data_${name}`).join(", ") || "none";
  throw new StarError(
    `blocks: ${found}; data_optics and data_particles of RELION 3.1, or data_ of RELION 3.0, were expected`,
  );
}

/** Whether a table has origins in a unit. @throws StarError for one axis without the other */
function hasOrigins({ columns, name }: StarTable, unit: string): boolean {
  const [x, y] = ["X", "Y"].map((axis) => columns.includes(`rlnOrigin${axis}${unit}`));
  if (x === y) return x!;
  const [there, missing] = x ? ["X", "Y"] : ["Y", "X"];
  throw new StarError(
    `data_${name}: _rlnOrigin${there}${unit} without _rlnOrigin${missing}${unit}; both were expected`,
  );
}

/** Origins along an axis, pixels. */
function originsOf(
  table: StarTable,
  axis: string,
  has: { readonly inPixels: boolean; readonly inAngst: boolean; readonly pixelSize: number },
): (number | undefined)[] | undefined {
  const pixels = knownNumbers(table, `rlnOrigin${axis}`, offsets);
  const long = knownNumbers(table, `rlnOrigin${axis}Angst`, offsets)?.map((value) =>
    value === undefined ? undefined : value / has.pixelSize,
  );
  if (!pixels || !long) return long ?? pixels;
  const odd = long.findIndex((value, row) => Math.abs((value ?? 0) - (pixels[row] ?? 0)) > 0.01);
  if (odd < 0) return long;
  throw new StarError(
    `${cellName(table, odd, `rlnOrigin${axis}`)}: ${pixels[odd]} pixels, and _rlnOrigin${axis}Angst says ${long[odd]?.toFixed(3)}; take one of these columns out of the file`,
  );
}

function lackOfPoses(
  rows: readonly ParticleRow[],
  table: StarTable,
  hasAnyOrigins: boolean,
): string | undefined {
  const missing = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"].filter(
    (name) => !table.columns.includes(name),
  );
  if (!hasAnyOrigins) missing.push("rlnOriginXAngst", "rlnOriginYAngst");
  if (missing.length > 0) return `no column ${missing.map((name) => `_${name}`).join(", ")}`;
  const row = rows.findIndex(({ pose }) => pose === undefined);
  return row < 0 ? undefined : `data_${table.name}, row ${row + 1}: an angle or origin of -999, "not known"`;
}

function hasCtf(table: StarTable): boolean {
  return ["rlnDefocusU", "rlnDefocusV", "rlnCtfImage"].some(
    (name) => table.columns.includes(name) && textColumn(table, name).some((text) => Number(text) !== 0),
  );
}

function imageOf(name: string, where: () => string): { index: number; stack: string } {
  const match = /^(\d+)@(.+)$/.exec(name);
  const number = Number(match?.[1]);
  if (!match || number < 1 || !Number.isSafeInteger(number))
    throw new StarError(`${where()}: image "${name}"; such as 000001@stack.mrcs was expected`);
  return { index: number - 1, stack: match[2]! };
}
