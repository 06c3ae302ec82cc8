import type { DataReference } from "../data-reference.ts";
import type { KernelContext } from "../kernel.ts";
import { gatherBand, makeBand, shiftBand } from "./math/band.ts";
import { readFloats } from "./math/blobs.ts";
import { eulerMatrix, multiply, type Matrix3 } from "./math/euler.ts";
import { forward2, halfLength2 } from "./math/fft-real.ts";
import { paddedSize } from "./math/fourier-volume.ts";
import { emptyPartialVolume, insertSlice, packSphere } from "./math/partial-volume.ts";
import { poseAt, poseLength } from "./math/poses.ts";

/** Particles with known poses, to be inserted into a Fourier volume. */
export type InsertInput = {
  /** `box`² 32-bit pixels an image, x fastest; one reference for each run of neighbouring images. */
  readonly particles: readonly DataReference[];
  /** Pixels a side, even. */
  readonly box: number;
  /** Packed poses, one for each image in the order of `particles`. */
  readonly poses: Float64Array;
  /** One weight for each image; 0 leaves it out. */
  readonly weights: Float64Array;
  /** Rotations of the particle's point group, 9 numbers each, row by row; the identity among them. */
  readonly symmetry: Float64Array;
  /** Frequencies from here on are left out, in cycles per box; at most box/2. */
  readonly maxRadius: number;
};

/** What `packSphere` made of the partial volume, and how many images are in it. */
export type InsertOutput = { readonly packed: Float32Array; readonly inserted: number };

/** Radius of the sphere that travels, in samples of the padded transform: two more than slices reach, so that every corner of the interpolation is inside. */
export function packedRadius(box: number, maxRadius: number): number {
  return Math.min(maxRadius, box / 2) * (paddedSize(box) / box) + 2;
}

/** Direct Fourier inversion's first half: adds every particle's central slice to a weighted sum. */
export default async function insert(input: InsertInput, ctx: KernelContext): Promise<InsertOutput> {
  const { box, poses, weights, maxRadius } = input;
  const padded = paddedSize(box);
  const volume = emptyPartialVolume(padded);
  const band = makeBand(padded, 0, maxRadius * (padded / box));
  const values = new Float64Array(2 * band.u.length);
  const image = new Float32Array(padded * padded);
  const half = new Float32Array(halfLength2(padded));
  const group = operators(input.symmetry);
  const count = poses.length / poseLength;
  let inserted = 0;
  let index = 0;
  for (const ref of input.particles) {
    const images = await readFloats(ctx, ref, ref.length / 4);
    for (let at = 0; at < images.length; at += box * box, index++) {
      const weight = weights[index] ?? 0;
      if (weight === 0) continue;
      const { rot, tilt, psi, originX, originY } = poseAt(poses, index);
      padImage(images.subarray(at, at + box * box), box, image, padded);
      forward2(image, padded, half);
      gatherBand(half, band, values);
      shiftBand(values, band, originX, originY);
      const matrix = eulerMatrix(rot, tilt, psi);
      for (const operator of group) insertSlice(volume, values, band, multiply(matrix, operator), weight);
      inserted++;
      ctx.progress((index + 1) / count);
    }
  }
  return { packed: packSphere(volume, packedRadius(box, maxRadius)), inserted };
}

/** Zeros around an image: its slice is then as finely sampled as the cube it goes into, which leaves no holes near the origin. */
function padImage(image: Float32Array, box: number, out: Float32Array, padded: number): void {
  const offset = (padded - box) / 2;
  for (let y = 0; y < box; y++)
    out.set(image.subarray(y * box, (y + 1) * box), (y + offset) * padded + offset);
}

function operators(packed: Float64Array): Matrix3[] {
  return Array.from(
    { length: packed.length / 9 },
    (_, i) => Array.from(packed.subarray(9 * i, 9 * i + 9)) as unknown as Matrix3,
  );
}
