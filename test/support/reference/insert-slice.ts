import type { Band } from "../../../science/kernels/math/band.ts";
import type { Matrix3 } from "../../../science/kernels/math/euler.ts";
import type { PartialVolume } from "../../../science/kernels/math/partial-volume.ts";

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
  const wrapped = (k: number): number => (k + padded) % padded;
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
    const zLow = wrapped(z0) * planeLength + x0;
    const zHigh = wrapped(z0 + 1) * planeLength + x0;
    const yLow = wrapped(y0) * rowLength;
    const yHigh = wrapped(y0 + 1) * rowLength;
    const wLow = weight * (1 - fz);
    const wHigh = weight * fz;
    addPair(data, weights, zLow + yLow, wLow * (1 - fy), fx, re, im);
    addPair(data, weights, zLow + yHigh, wLow * fy, fx, re, im);
    addPair(data, weights, zHigh + yLow, wHigh * (1 - fy), fx, re, im);
    addPair(data, weights, zHigh + yHigh, wHigh * fy, fx, re, im);
  }
}

/** Adds a coefficient to two neighbours along x; small enough for the engine to inline. */
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
