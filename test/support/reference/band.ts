import type { Band } from "../../../science/kernels/math/band.ts";

/** Reads a band from a half transform: re, im pairs in the order of the band. */
export function gatherBand(half: Float32Array, band: Band, out: Float64Array): void {
  const { at } = band;
  for (let i = 0; i < at.length; i++) {
    out[2 * i] = half[at[i]!]!;
    out[2 * i + 1] = half[at[i]! + 1]!;
  }
}

/**
 * `exp(2πi·k·step/box)` for k = −box/2 … box/2, as re, im pairs. The phase of a shift is a product of two such numbers, one for
 * each axis, which costs a third of a sine and cosine for every sample.
 */
export class PhaseTable {
  readonly #box: number;
  readonly values: Float64Array;

  constructor(box: number) {
    this.#box = box;
    this.values = new Float64Array(2 * (box + 1));
  }

  /** Fills the table for another step, pixels. */
  set(step: number): void {
    const half = this.#box / 2;
    for (let k = 0; k <= half; k++) {
      const angle = (2 * Math.PI * k * step) / this.#box;
      const cos = Math.cos(angle);
      const sin = Math.sin(angle);
      this.values[2 * (half + k)] = cos;
      this.values[2 * (half + k) + 1] = sin;
      this.values[2 * (half - k)] = cos;
      this.values[2 * (half - k) + 1] = -sin;
    }
  }
}

/** Multiplies a band by `exp(−2πi·k·o/box)`: the image moved by `o` = (`x`, `y`) pixels. */
export function shiftBand(values: Float64Array, band: Band, x: number, y: number): void {
  const { u, v, box } = band;
  const alongX = new PhaseTable(box);
  const alongY = new PhaseTable(box);
  alongX.set(-x);
  alongY.set(-y);
  const px = alongX.values;
  const py = alongY.values;
  for (let i = 0; i < u.length; i++) {
    const a = box + 2 * u[i]!;
    const b = box + 2 * v[i]!;
    const cos = px[a]! * py[b]! - px[a + 1]! * py[b + 1]!;
    const sin = px[a]! * py[b + 1]! + px[a + 1]! * py[b]!;
    const re = values[2 * i]!;
    const im = values[2 * i + 1]!;
    values[2 * i] = re * cos - im * sin;
    values[2 * i + 1] = re * sin + im * cos;
  }
}
