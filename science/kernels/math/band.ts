import { length } from "./trigonometry.ts";

/**
 * The samples of an image's half transform between two rings. The band has one sample of every Hermitian pair, so a sum over it
 * is half the sum over the plane. Frequencies are in cycles per box.
 */
export interface Band {
  readonly box: number;
  readonly u: Int32Array;
  readonly v: Int32Array;
  /** Position of each sample's real part in a half transform of the image. */
  readonly at: Int32Array;
}

/**
 * The band of `minRadius ≤ |k| < maxRadius` of an image of `box` pixels.
 *
 * @param minRadius - 0 includes the mean, 1 excludes it
 * @param maxRadius - at most box/2, which excludes the Nyquist lines (whose partners are themselves)
 */
export function makeBand(box: number, minRadius: number, maxRadius: number): Band {
  const limit = Math.min(maxRadius, box / 2);
  const u: number[] = [];
  const v: number[] = [];
  const at: number[] = [];
  for (let y = 1 - box / 2; y < box / 2; y++) {
    for (let x = 0; x < box / 2; x++) {
      const radius = length(x, y);
      if (radius < minRadius || radius >= limit || (x === 0 && y < 0)) continue;
      u.push(x);
      v.push(y);
      at.push(((y + box) % box) * (box + 2) + 2 * x);
    }
  }
  return { box, u: Int32Array.from(u), v: Int32Array.from(v), at: Int32Array.from(at) };
}

/** Writes a band into a half transform, with the Hermitian partners that a half transform contains (u = 0). */
export function scatterBand(values: Float32Array, band: Band, half: Float32Array): void {
  const { at, u, v, box } = band;
  for (let i = 0; i < at.length; i++) {
    half[at[i]!] = values[2 * i]!;
    half[at[i]! + 1] = values[2 * i + 1]!;
    if (u[i] !== 0 || v[i] === 0) continue;
    const partner = (box - v[i]!) * (box + 2);
    half[partner] = values[2 * i]!;
    half[partner + 1] = -values[2 * i + 1]!;
  }
}
