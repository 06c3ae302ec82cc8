import type { Pose } from "./kernels/math/euler.ts";

/** A table of a STAR file: named columns, one row a line. */
export function starTable(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const head = columns.map((column, i) => `_${column} #${i + 1}`);
  const body = rows.map((row) =>
    row
      .map((cell) => (typeof cell === "number" && !Number.isInteger(cell) ? cell.toFixed(6) : cell))
      .join("\t"),
  );
  return [`data_${name}`, "", "loop_", ...head, ...body, "", ""].join("\n");
}

/** What {@link particleStar} is told besides the poses. */
export interface ParticleStarContents {
  /** Name of the stack file, from the directory of the STAR file; or the image name of each particle. */
  readonly images: string | readonly string[];
  /** Å. */
  readonly pixelSize: number;
  /** Pixels. */
  readonly box: number;
  /** 1 or 2 for each particle; unless given, the first half is 1. */
  readonly subsets?: readonly number[];
  /** Further columns by label, one value for each particle. */
  readonly columns?: Readonly<Record<string, readonly (string | number)[]>>;
}

/** Particles and their poses as RELION 3.1 reads them: angles in degrees, origins in Å. */
export function particleStar(poses: readonly Pose[], contents: ParticleStarContents): string {
  const { images, pixelSize, box, subsets, columns: more = {} } = contents;
  // RELION refuses a file without a microscope. The images have no contrast transfer function: pass no --ctf.
  const optics = starTable(
    "optics",
    [
      "rlnOpticsGroup",
      "rlnOpticsGroupName",
      "rlnVoltage",
      "rlnSphericalAberration",
      "rlnAmplitudeContrast",
      "rlnImagePixelSize",
      "rlnImageSize",
      "rlnImageDimensionality",
    ],
    [[1, "opticsGroup1", 300, 2.7, 0.1, pixelSize, box, 2]],
  );
  const columns = [
    "rlnImageName",
    "rlnAngleRot",
    "rlnAngleTilt",
    "rlnAnglePsi",
    "rlnOriginXAngst",
    "rlnOriginYAngst",
    "rlnRandomSubset",
    "rlnOpticsGroup",
    ...Object.keys(more),
  ];
  const rows = poses.map(({ rot, tilt, psi, originX, originY }, i) => [
    typeof images === "string" ? imageName(i, images) : images[i]!,
    rot,
    tilt,
    psi,
    originX * pixelSize,
    originY * pixelSize,
    subsets?.[i] ?? (i < poses.length / 2 ? 1 : 2),
    1,
    ...Object.values(more).map((values) => values[i]!),
  ]);
  return `# version 30001\n\n${optics}# version 30001\n\n${starTable("particles", columns, rows)}`;
}

/** How RELION names an image of a stack; `index` counts from 0. */
export function imageName(index: number, stack: string): string {
  return `${String(index + 1).padStart(6, "0")}@${stack}`;
}
