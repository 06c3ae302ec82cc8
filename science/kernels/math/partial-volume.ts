import { halfLength3 } from "./fft-real.ts";

/** A sum of Fourier slices in a cube: weighted sums of coefficients, and the sums of the weights. */
export interface PartialVolume {
  /** Voxels a side, even. */
  readonly padded: number;
  /** Half transform, re, im pairs. */
  readonly data: Float32Array;
  /** Weights of the complex numbers of `data`. */
  readonly weights: Float32Array;
}

/** An empty partial volume. */
export function emptyPartialVolume(padded: number): PartialVolume {
  const length = halfLength3(padded);
  return { padded, data: new Float32Array(length), weights: new Float32Array(length / 2) };
}

/**
 * Visits the rows of a half cube inside a sphere, in a fixed order that `SliceSum.pack` and {@link addPacked} share: `at` is
 * the index of the row's first complex number, `count` the length of its part inside, `square` its squared distance from the origin.
 */
export function forEachRow(
  padded: number,
  radius: number,
  visit: (at: number, count: number, square: number) => void,
): void {
  const rowLength = padded / 2 + 1;
  for (let z = 0; z < padded; z++) {
    const kz = z < padded / 2 ? z : z - padded;
    for (let y = 0; y < padded; y++) {
      const ky = y < padded / 2 ? y : y - padded;
      const square = kz * kz + ky * ky;
      const rest = radius * radius - square;
      if (rest >= 0)
        visit((z * padded + y) * rowLength, Math.min(rowLength, Math.floor(Math.sqrt(rest)) + 1), square);
    }
  }
}

/**
 * Adds the output of `SliceSum.pack` for the same size and radius.
 * @throws RangeError when the length does not fit
 */
export function addPacked(volume: PartialVolume, packed: Float32Array, radius: number): void {
  let from = 0;
  forEachRow(volume.padded, radius, (at, count) => {
    for (let i = at; i < at + count; i++) {
      volume.data[2 * i]! += packed[from++] ?? 0;
      volume.data[2 * i + 1]! += packed[from++] ?? 0;
      volume.weights[i]! += packed[from++] ?? 0;
    }
  });
  if (from !== packed.length)
    throw new RangeError(
      `a partial volume of ${packed.length} numbers; ${from} were expected for radius ${radius}`,
    );
}
