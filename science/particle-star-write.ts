import type { Pose } from "./kernels/math/euler.ts";
import { imageName, starTable } from "./star.ts";
import type { StarTable, ParticleTables } from "./star-read.ts";

type Cell = string | number;

/** Contents of a {@link particleStar} beside the poses. */
interface ParticleStarContents {
  /** Path of the stack relative to the STAR file, or the image name of each particle. */
  readonly images: string | readonly string[];
  /** Å. */
  readonly pixelSize: number;
  /** Pixels. */
  readonly box: number;
  /** 1 or 2 for each particle; absent: the first half is 1. */
  readonly subsets?: readonly number[];
  /** Further columns by label, with a value for each particle. */
  readonly columns?: Readonly<Record<string, readonly Cell[]>>;
  /** Original tables of the particles and the row of each: columns that are not written anew are copied from them. */
  readonly source?: { readonly tables: ParticleTables; readonly rows: readonly number[] };
}

/**
 * Particles and their poses for RELION 3.1: angles in degrees, origins in Å. Particles of a file without optics are written as
 * in RELION 3.0, with origins in pixels.
 * @throws RangeError for a value that no STAR file can hold
 */
export function particleStar(poses: readonly Pose[], contents: ParticleStarContents): string {
  const { images, source, columns, subsets, pixelSize } = contents;
  const isOld = source !== undefined && !source.tables.optics;
  const [unit, side] = isOld ? ["", 1] : ["Angst", pixelSize];
  const own: Record<string, readonly Cell[]> = {
    rlnImageName: typeof images === "string" ? poses.map((_, i) => imageName(i, images)) : images,
    rlnAngleRot: poses.map(({ rot }) => rot),
    rlnAngleTilt: poses.map(({ tilt }) => tilt),
    rlnAnglePsi: poses.map(({ psi }) => psi),
    [`rlnOriginX${unit}`]: poses.map(({ originX }) => originX * side),
    [`rlnOriginY${unit}`]: poses.map(({ originY }) => originY * side),
    rlnRandomSubset: subsets ?? poses.map((_, i) => (i < poses.length / 2 ? 1 : 2)),
    ...columns,
  };
  if (!source) {
    const particles = table("particles", { ...own, rlnOpticsGroup: poses.map(() => 1) });
    return versioned(newOptics(contents)) + versioned(particles);
  }
  const { particles, optics } = source.tables;
  // An origin in the other unit would contradict the written origin.
  const stale = new Set(["X", "Y"].map((axis) => `rlnOrigin${axis}${isOld ? "Angst" : ""}`));
  const kept = columnsOf(particles, source.rows, (name) => !stale.has(name));
  if (!optics) return table(particles.name, { ...kept, ...oldPixelSize(kept, pixelSize), ...own });
  const group = columnsOf(optics, [0], () => true)["rlnOpticsGroup"]![0]!;
  const groups = { rlnOpticsGroup: poses.map(() => group), ...kept };
  return versioned(keptOptics(optics, pixelSize)) + versioned(table(particles.name, { ...groups, ...own }));
}

function versioned(block: string): string {
  return `# version 30001\n\n${block}`;
}

function table(name: string, columns: Readonly<Record<string, readonly Cell[]>>): string {
  const [labels, values] = [Object.keys(columns), Object.values(columns)];
  return starTable(
    name,
    labels,
    (values[0] ?? []).map((_, row) => values.map((column) => column[row]!)),
  );
}

function columnsOf(
  { columns, rows }: StarTable,
  chosen: readonly number[],
  isKept: (name: string) => boolean,
): Record<string, readonly string[]> {
  return Object.fromEntries(
    columns.flatMap((name, at) => (isKept(name) ? [[name, chosen.map((row) => rows[row]![at]!)]] : [])),
  );
}

/**
 * New optics. RELION refuses a file without a microscope. The images have no contrast transfer function, so RELION must run
 * without --ctf.
 */
function newOptics({ pixelSize, box }: ParticleStarContents): string {
  return table("optics", {
    rlnOpticsGroup: [1],
    rlnOpticsGroupName: ["opticsGroup1"],
    rlnVoltage: [300],
    rlnSphericalAberration: [2.7],
    rlnAmplitudeContrast: [0.1],
    rlnImagePixelSize: [pixelSize],
    rlnImageSize: [box],
    rlnImageDimensionality: [2],
  });
}

/** The original groups, with the pixel size when theirs differs. */
function keptOptics(optics: StarTable, pixelSize: number): string {
  const kept = columnsOf(optics, [...optics.rows.keys()], () => true);
  const isThere = optics.columns.includes("rlnImagePixelSize");
  return table(optics.name, {
    ...kept,
    ...(!isThere && { rlnImagePixelSize: optics.rows.map(() => pixelSize) }),
  });
}

/** The pixel size in the columns of RELION 3.0, when the particles have none or another. */
function oldPixelSize(
  kept: Readonly<Record<string, readonly string[]>>,
  pixelSize: number,
): Record<string, readonly number[]> {
  const { rlnDetectorPixelSize: sides, rlnMagnification: magnifications, rlnImageName: names } = kept;
  const told = (Number(sides?.[0]) * 1e4) / Number(magnifications?.[0]);
  const all = (value: number): number[] => names!.map(() => value);
  const others = ["rlnPixelSize", "rlnImagePixelSize"].filter((name) => kept[name] !== undefined);
  return {
    ...(!(Math.abs(told - pixelSize) <= 1e-3 * pixelSize) && {
      rlnMagnification: all(10_000),
      rlnDetectorPixelSize: all(pixelSize),
    }),
    ...Object.fromEntries(others.map((name) => [name, all(pixelSize)])),
  };
}
