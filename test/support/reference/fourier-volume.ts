import type { Band } from "../../../science/kernels/math/band.ts";
import type { Matrix3 } from "../../../science/kernels/math/euler.ts";
import { paddedSize, triangleTransform } from "../../../science/kernels/math/fourier-volume.ts";
import { forward3, halfLength3 } from "./fft-real.ts";

/** The centred half transform of a map, padded at least twofold so that trilinear interpolation in it is accurate. */
export interface FourierVolume {
  /** Voxels a side of the map. */
  readonly box: number;
  /** Voxels a side of the padded cube, even. */
  readonly padded: number;
  readonly half: Float32Array;
}

/**
 * Prepares a map for {@link sliceBand}: divides by the transform of the interpolation's triangle, pads, transforms.
 *
 * @param map - `box`³ densities, x fastest, origin at voxel box/2
 */
export function fourierVolume(map: Float32Array, box: number): FourierVolume {
  const padded = paddedSize(box);
  const cube = new Float32Array(padded ** 3);
  const correction = triangleTransform(box, padded);
  const offset = (padded - box) / 2;
  for (let z = 0; z < box; z++) {
    for (let y = 0; y < box; y++) {
      const from = (z * box + y) * box;
      const to = ((z + offset) * padded + y + offset) * padded + offset;
      const zy = correction[z]! * correction[y]!;
      for (let x = 0; x < box; x++) cube[to + x] = map[from + x]! / (zy * correction[x]!);
    }
  }
  const half = new Float32Array(halfLength3(padded));
  forward3(cube, padded, half);
  return { box, padded, half };
}

/**
 * The central slice of an orientation (projection-slice theorem), trilinearly interpolated: the transform of the map's
 * projection, on the samples of a band of its images.
 *
 * @param matrix - of `eulerMatrix`
 * @param out - re, im pairs in the order of the band
 */
export function sliceBand(volume: FourierVolume, matrix: Matrix3, band: Band, out: Float64Array): void {
  const { padded, half } = volume;
  const { u, v } = band;
  const scale = padded / band.box;
  const wrapped = (k: number): number => (k + padded) % padded;
  const rowLength = padded + 2;
  const planeLength = rowLength * padded;
  const [m0, m1, m2, m3, m4, m5] = matrix;
  for (let i = 0; i < u.length; i++) {
    const a = u[i]! * scale;
    const b = v[i]! * scale;
    let kx = a * m0 + b * m3;
    let ky = a * m1 + b * m4;
    let kz = a * m2 + b * m5;
    // Only kx ≥ 0 is kept: the other half is its complex conjugate at the opposite frequency.
    const sign = kx < 0 ? -1 : 1;
    kx *= sign;
    ky *= sign;
    kz *= sign;
    const x0 = Math.floor(kx);
    const y0 = Math.floor(ky);
    const z0 = Math.floor(kz);
    const fx = kx - x0;
    const fy = ky - y0;
    const fz = kz - z0;
    const zLow = wrapped(z0) * planeLength + 2 * x0;
    const zHigh = wrapped(z0 + 1) * planeLength + 2 * x0;
    const yLow = wrapped(y0) * rowLength;
    const yHigh = wrapped(y0 + 1) * rowLength;
    const ll = zLow + yLow;
    const lh = zLow + yHigh;
    const hl = zHigh + yLow;
    const hh = zHigh + yHigh;
    const gx = 1 - fx;
    const wll = (1 - fz) * (1 - fy);
    const wlh = (1 - fz) * fy;
    const whl = fz * (1 - fy);
    const whh = fz * fy;
    out[2 * i] =
      gx * (wll * half[ll]! + wlh * half[lh]! + whl * half[hl]! + whh * half[hh]!) +
      fx * (wll * half[ll + 2]! + wlh * half[lh + 2]! + whl * half[hl + 2]! + whh * half[hh + 2]!);
    out[2 * i + 1] =
      sign *
      (gx * (wll * half[ll + 1]! + wlh * half[lh + 1]! + whl * half[hl + 1]! + whh * half[hh + 1]!) +
        fx * (wll * half[ll + 3]! + wlh * half[lh + 3]! + whl * half[hl + 3]! + whh * half[hh + 3]!));
  }
}
