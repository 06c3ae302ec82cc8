import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../../system/package-root.ts";
import { fourierCrop } from "../fourier-filter.ts";
import { readMrc, volumeOf } from "../mrc.ts";
import { cropVolume, maskVolume, softSphere, type Volume } from "../volume.ts";

/** β-galactosidase, the molecule of the demo. */
export const betaGal = {
  file: join(packageRoot, "data", "betaGal.mrc"),
  symmetry: "D2",
  /** Å; the density reaches 93 Å from the centre. */
  radius: 96,
  /** Å³: 465 kDa at 1.21 Å³ a dalton. */
  volume: 562_650,
} as const;

/** Field of view in voxels of the file: the molecule with room for its shifts, 227 Å. */
const fieldVoxels = 64;

/**
 * The true map in a box of some size: up to 64 voxels show the same 227 Å at a finer sampling, a larger box shows more of the
 * surroundings at the file's 3.54 Å a voxel. Voxels outside the molecule are masked, because the corners of the box rotate out
 * of it: with them a reconstruction from 600 noise-free projections reaches only FSC 0.78 at 7.3 Å, without them 0.99.
 */
export async function loadBetaGal(box: number): Promise<Volume> {
  const whole = volumeOf(readMrc(await readFile(betaGal.file)));
  const field = cropVolume(whole, Math.max(fieldVoxels, box));
  const map = box < field.size ? fourierCrop(field, box) : field;
  return maskVolume(map, moleculeMask(map));
}

/** A soft sphere around the molecule, in the sampling of a map. */
export function moleculeMask({ size, pixelSize }: Volume): Float32Array {
  const edge = 14 / pixelSize;
  return softSphere(size, Math.min(betaGal.radius / pixelSize, size / 2 - edge - 1), edge);
}
