import { inverse3 } from "./kernels/math/fft-real.ts";
import { triangleTransform } from "./kernels/math/fourier-volume.ts";
import { forEachRow, type PartialVolume } from "./kernels/math/partial-volume.ts";
import { cropVolume, type Volume } from "./volume.ts";

/** Below this fraction of its shell's mean weight a sample is damped, because division would amplify it. */
const leastWeight = 1e-3;

/**
 * The map of summed Fourier slices: divides by the weights, transforms back, corrects for the interpolation.
 *
 * @param sum - sum of the insertion kernel's partial volumes; modified
 * @param box - voxels a side of the map
 * @param pixelSize - Å
 * @param maxRadius - cycles per box; frequencies from here on are zero
 */
export function reconstruct(sum: PartialVolume, box: number, pixelSize: number, maxRadius: number): Volume {
  const { padded, data } = sum;
  addHermitianPartners(sum);
  divideByWeights(sum, maxRadius * (padded / box));
  const cube = new Float32Array(padded ** 3);
  inverse3(data, padded, cube);
  const volume = cropVolume({ size: padded, pixelSize, data: cube }, box);
  const correction = triangleTransform(box, padded);
  for (let z = 0, i = 0; z < box; z++)
    for (let y = 0; y < box; y++)
      for (let x = 0; x < box; x++, i++) volume.data[i]! /= correction[z]! * correction[y]! * correction[x]!;
  if (!volume.data.every(Number.isFinite))
    throw new RangeError(
      "the map has densities beyond 32-bit numbers: the images' grey values are too large",
    );
  return volume;
}

/** Adds the Hermitian partners. The plane kx = 0 has both numbers of a pair, but each slice was added to only one of them. */
function addHermitianPartners({ padded, data, weights }: PartialVolume): void {
  const row = padded / 2 + 1;
  for (let z = 0; z < padded; z++) {
    for (let y = 0; y < padded; y++) {
      const a = (z * padded + y) * row;
      const b = (((padded - z) % padded) * padded + ((padded - y) % padded)) * row;
      if (a > b) continue;
      const re = data[2 * a]! + data[2 * b]!;
      const im = data[2 * a + 1]! - data[2 * b + 1]!;
      const weight = weights[a]! + weights[b]!;
      data[2 * a] = re;
      data[2 * a + 1] = im;
      data[2 * b] = re;
      data[2 * b + 1] = -im;
      weights[a] = weight;
      weights[b] = weight;
    }
  }
}

function divideByWeights({ padded, data, weights }: PartialVolume, radiusLimit: number): void {
  const total = new Float64Array(padded);
  const count = new Float64Array(padded);
  // The shell at the limit has samples on both of its sides.
  forEachRow(padded, radiusLimit + 1, (at, inside, square) => {
    for (let kx = 0; kx < inside; kx++) {
      const shell = Math.round(Math.sqrt(kx * kx + square));
      total[shell]! += weights[at + kx]!;
      count[shell]! += 1;
    }
  });
  let done = 0;
  forEachRow(padded, radiusLimit, (at, inside, square) => {
    data.fill(0, 2 * done, 2 * at);
    for (let kx = 0; kx < inside; kx++) {
      const radius = Math.sqrt(kx * kx + square);
      const shell = Math.round(radius);
      const floor = (leastWeight * total[shell]!) / count[shell]!;
      const weight = Math.max(weights[at + kx]!, floor);
      const factor = radius < radiusLimit && weight > 0 ? 1 / weight : 0;
      data[2 * (at + kx)]! *= factor;
      data[2 * (at + kx) + 1]! *= factor;
    }
    done = at + inside;
  });
  data.fill(0, 2 * done);
}
