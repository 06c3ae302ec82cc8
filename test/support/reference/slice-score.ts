import type { Band } from "../../../science/kernels/math/band.ts";
import { PhaseTable } from "./band.ts";
import type { Matrix3 } from "../../../science/kernels/math/euler.ts";
import { sliceBand, type FourierVolume } from "./fourier-volume.ts";

/** Agreement of a slice and a particle, and the shift with the best agreement. */
export interface SliceMatch {
  /** Normalised correlation over the band, −1 … 1. */
  readonly score: number;
  /** Shift that centres the particle, pixels. */
  readonly originX: number;
  readonly originY: number;
}

/** A longer Newton step, in pixels, leaves the neighbourhood in which the quadratic model holds. */
const maxShiftStep = 1;

/** Compares one particle with slices of one volume on a band. Allocates nothing after construction. */
export class SliceScore {
  readonly #volume: FourierVolume;
  readonly #band: Band;
  readonly #slice: Float64Array;
  /** Product of the particle and the conjugated slice. */
  readonly #product: Float64Array;
  readonly #alongX: PhaseTable;
  readonly #alongY: PhaseTable;
  #particle: Float64Array;
  #norm = 1;
  // Value, gradient and Hessian of the correlation at a shift, set by #expand.
  #f = 0;
  #fx = 0;
  #fy = 0;
  #fxx = 0;
  #fxy = 0;
  #fyy = 0;

  constructor(volume: FourierVolume, band: Band) {
    this.#volume = volume;
    this.#band = band;
    this.#slice = new Float64Array(2 * band.u.length);
    this.#product = new Float64Array(2 * band.u.length);
    this.#alongX = new PhaseTable(band.box);
    this.#alongY = new PhaseTable(band.box);
    this.#particle = this.#slice;
  }

  /** @param values - the particle's transform on the band */
  setParticle(values: Float64Array): void {
    this.#particle = values;
    this.#norm = 1 / Math.sqrt(power(values) || 1);
  }

  /** The score of an orientation, at the best shift near (`x`, `y`). */
  at(matrix: Matrix3, x: number, y: number): SliceMatch {
    sliceBand(this.#volume, matrix, this.#band, this.#slice);
    const scale = this.#norm / Math.sqrt(power(this.#slice) || 1);
    this.#multiply();
    this.#expand(x, y);
    let best = { score: this.#f * scale, originX: x, originY: y };
    // The best shift of the neighbouring orientation is a fraction of a pixel away, so two Newton steps are enough.
    for (let step = 0; step < 2; step++) {
      const determinant = this.#fxx * this.#fyy - this.#fxy * this.#fxy;
      if (!(determinant > 0 && this.#fxx < 0)) break;
      const dx = (this.#fxy * this.#fy - this.#fyy * this.#fx) / determinant;
      const dy = (this.#fxy * this.#fx - this.#fxx * this.#fy) / determinant;
      const shorten = Math.min(1, maxShiftStep / Math.hypot(dx, dy));
      this.#expand(best.originX + dx * shorten, best.originY + dy * shorten);
      if (this.#f * scale <= best.score) break;
      best = {
        score: this.#f * scale,
        originX: best.originX + dx * shorten,
        originY: best.originY + dy * shorten,
      };
      if (Math.hypot(dx, dy) < 0.02) break;
    }
    return best;
  }

  #multiply(): void {
    const a = this.#particle;
    const b = this.#slice;
    const out = this.#product;
    for (let i = 0; i < a.length; i += 2) {
      out[i] = a[i]! * b[i]! + a[i + 1]! * b[i + 1]!;
      out[i + 1] = a[i + 1]! * b[i]! - a[i]! * b[i + 1]!;
    }
  }

  /** Second-order expansion of `Re Σ product·exp(−2πi·k·o/box)` about o = (`x`, `y`). */
  #expand(x: number, y: number): void {
    const { u, v, box } = this.#band;
    const product = this.#product;
    const unit = (2 * Math.PI) / box;
    this.#alongX.set(x);
    this.#alongY.set(y);
    const px = this.#alongX.values;
    const py = this.#alongY.values;
    let f = 0;
    let fx = 0;
    let fy = 0;
    let fxx = 0;
    let fxy = 0;
    let fyy = 0;
    for (let i = 0; i < u.length; i++) {
      const kx = u[i]!;
      const ky = v[i]!;
      const a = box + 2 * kx;
      const b = box + 2 * ky;
      const cos = px[a]! * py[b]! - px[a + 1]! * py[b + 1]!;
      const sin = px[a]! * py[b + 1]! + px[a + 1]! * py[b]!;
      const re = product[2 * i]! * cos + product[2 * i + 1]! * sin;
      const im = product[2 * i + 1]! * cos - product[2 * i]! * sin;
      f += re;
      fx += kx * im;
      fy += ky * im;
      fxx -= kx * kx * re;
      fxy -= kx * ky * re;
      fyy -= ky * ky * re;
    }
    this.#f = f;
    this.#fx = unit * fx;
    this.#fy = unit * fy;
    this.#fxx = unit * unit * fxx;
    this.#fxy = unit * unit * fxy;
    this.#fyy = unit * unit * fyy;
  }
}

function power(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return sum;
}
