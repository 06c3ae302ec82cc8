import type { Band } from "./band.ts";
import type { Matrix3 } from "./euler.ts";
import { halfLength3 } from "./fft-real.ts";

/** Fourier slices being gathered into a cube: weighted sums of coefficients, and the sums of the weights. */
export interface PartialVolume {
  /** Voxels a side, a power of two. */
  readonly padded: number;
  /** Half transform, re, im pairs. */
  readonly data: Float32Array;
  /** One weight for each complex number of `data`. */
  readonly weights: Float32Array;
}

/** An empty partial volume. */
export function emptyPartialVolume(padded: number): PartialVolume {
  const length = halfLength3(padded);
  return { padded, data: new Float32Array(length), weights: new Float32Array(length / 2) };
}

/**
 * Adds the central slice of one particle, trilinearly spread over the eight nearest samples.
 *
 * @param values - the particle's centred transform on `band`, whose box is `volume.padded`
 * @param matrix - orientation, of `eulerMatrix`
 */
export function insertSlice(
  volume: PartialVolume,
  values: Float64Array,
  band: Band,
  matrix: Matrix3,
  weight: number,
): void {
  const { padded, data, weights } = volume;
  const { u, v } = band;
  const mask = padded - 1;
  const rowLength = padded / 2 + 1;
  const planeLength = rowLength * padded;
  const [m0, m1, m2, m3, m4, m5] = matrix;
  for (let i = 0; i < u.length; i++) {
    let kx = u[i]! * m0 + v[i]! * m3;
    let ky = u[i]! * m1 + v[i]! * m4;
    let kz = u[i]! * m2 + v[i]! * m5;
    const sign = kx < 0 ? -1 : 1;
    kx *= sign;
    ky *= sign;
    kz *= sign;
    const re = values[2 * i]!;
    const im = sign * values[2 * i + 1]!;
    const x0 = Math.floor(kx);
    const y0 = Math.floor(ky);
    const z0 = Math.floor(kz);
    const fx = kx - x0;
    const fy = ky - y0;
    const fz = kz - z0;
    const zLow = (z0 & mask) * planeLength + x0;
    const zHigh = ((z0 + 1) & mask) * planeLength + x0;
    const yLow = (y0 & mask) * rowLength;
    const yHigh = ((y0 + 1) & mask) * rowLength;
    const wLow = weight * (1 - fz);
    const wHigh = weight * fz;
    addPair(data, weights, zLow + yLow, wLow * (1 - fy), fx, re, im);
    addPair(data, weights, zLow + yHigh, wLow * fy, fx, re, im);
    addPair(data, weights, zHigh + yLow, wHigh * (1 - fy), fx, re, im);
    addPair(data, weights, zHigh + yHigh, wHigh * fy, fx, re, im);
  }
}

/** Shares a coefficient between two neighbours along x; small enough for the engine to inline. */
function addPair(
  data: Float32Array,
  weights: Float32Array,
  at: number,
  weight: number,
  fx: number,
  re: number,
  im: number,
): void {
  const low = weight * (1 - fx);
  const high = weight * fx;
  weights[at]! += low;
  weights[at + 1]! += high;
  data[2 * at]! += low * re;
  data[2 * at + 1]! += low * im;
  data[2 * at + 2]! += high * re;
  data[2 * at + 3]! += high * im;
}

/**
 * Visits the rows of a half cube inside a sphere, in a fixed order: `at` is the index of the row's first complex number
 * and `count` how many lie inside. What {@link packSphere} and {@link addPacked} agree on.
 */
function forEachRow(padded: number, radius: number, visit: (at: number, count: number) => void): void {
  const rowLength = padded / 2 + 1;
  for (let z = 0; z < padded; z++) {
    const kz = z < padded / 2 ? z : z - padded;
    for (let y = 0; y < padded; y++) {
      const ky = y < padded / 2 ? y : y - padded;
      const rest = radius * radius - kz * kz - ky * ky;
      if (rest >= 0)
        visit((z * padded + y) * rowLength, Math.min(rowLength, Math.floor(Math.sqrt(rest)) + 1));
    }
  }
}

/** The part of a partial volume inside a sphere, as it travels: re, im, weight triples; about half of the cube. */
export function packSphere(volume: PartialVolume, radius: number): Float32Array {
  let total = 0;
  forEachRow(volume.padded, radius, (_, count) => (total += count));
  const packed = new Float32Array(3 * total);
  let to = 0;
  forEachRow(volume.padded, radius, (at, count) => {
    for (let i = at; i < at + count; i++) {
      packed[to++] = volume.data[2 * i]!;
      packed[to++] = volume.data[2 * i + 1]!;
      packed[to++] = volume.weights[i]!;
    }
  });
  return packed;
}

/**
 * Adds what {@link packSphere} made of the same size and radius.
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
