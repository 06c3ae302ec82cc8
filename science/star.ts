import type { Pose } from "../shared/kernels/math/euler.ts";

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

/**
 * Particles and their poses as RELION 3.1 reads them: angles in degrees, origins in Å.
 *
 * @param images - name of the stack file, beside the STAR file
 */
export function particleStar(
  poses: readonly Pose[],
  stack: { readonly images: string; readonly pixelSize: number; readonly box: number },
): string {
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
    [[1, "opticsGroup1", 300, 2.7, 0.1, stack.pixelSize, stack.box, 2]],
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
  ];
  const rows = poses.map(({ rot, tilt, psi, originX, originY }, i) => [
    `${String(i + 1).padStart(6, "0")}@${stack.images}`,
    rot,
    tilt,
    psi,
    originX * stack.pixelSize,
    originY * stack.pixelSize,
    i < poses.length / 2 ? 1 : 2,
    1,
  ]);
  return `# version 30001\n\n${optics}# version 30001\n\n${starTable("particles", columns, rows)}`;
}
