import type { Volume } from "../../science/volume.ts";

/** A Gaussian blob, whose projection is known in closed form. Lengths in voxels. */
export interface Blob {
  readonly at: readonly [number, number, number];
  readonly sigma: number;
  readonly height: number;
}

/** Four blobs without symmetry. */
export const blobs: readonly Blob[] = [
  { at: [3, 1, -2], sigma: 2.2, height: 1 },
  { at: [-4, 3, 2], sigma: 1.8, height: 0.8 },
  { at: [1, -5, 3], sigma: 2, height: 1.2 },
  { at: [-2, -2, -6], sigma: 1.7, height: 0.9 },
];

/** The blobs as a map. */
export function phantom(size: number): Volume {
  const data = new Float32Array(size ** 3);
  for (let z = 0, i = 0; z < size; z++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++, i++)
        for (const { at, sigma, height } of blobs) {
          const squared =
            (x - size / 2 - at[0]) ** 2 + (y - size / 2 - at[1]) ** 2 + (z - size / 2 - at[2]) ** 2;
          data[i]! += height * Math.exp(-squared / (2 * sigma * sigma));
        }
  return { size, pixelSize: 2, data };
}

/**
 * The blobs' projection, from the formula.
 * @param rows - the image's x and y axes in the volume: the first six numbers of an Euler matrix
 * @param origin - shift that centres the particle
 */
export function projectedPhantom(
  size: number,
  rows: readonly number[],
  origin: readonly [number, number],
): Float32Array {
  const [a, b, c, d, e, f] = rows as [number, number, number, number, number, number];
  const image = new Float32Array(size * size);
  for (const { at, sigma, height } of blobs) {
    const u = a * at[0] + b * at[1] + c * at[2] - origin[0];
    const v = d * at[0] + e * at[1] + f * at[2] - origin[1];
    const line = height * sigma * Math.sqrt(2 * Math.PI);
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        const squared = (x - size / 2 - u) ** 2 + (y - size / 2 - v) ** 2;
        image[y * size + x]! += line * Math.exp(-squared / (2 * sigma * sigma));
      }
  }
  return image;
}

/** Pearson correlation of two images. */
export function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    ab += (value - meanA) * (b[i]! - meanB);
    aa += (value - meanA) ** 2;
    bb += (b[i]! - meanB) ** 2;
  });
  return ab / Math.sqrt(aa * bb);
}
