import type { Engine } from "../wasm/engine.ts";
import type { Band } from "./band.ts";
import type { Matrix3 } from "./euler.ts";
import type { FourierVolume } from "./fourier-volume.ts";
import { PhaseTables } from "./phase-tables.ts";
import { putBand, SliceTaker, takeValues, type BandTables } from "./slice-band.ts";
import { length } from "./trigonometry.ts";

/** Agreement of a slice and a particle, and the shift with the best agreement. */
export interface SliceMatch {
  /** Normalised correlation over the band, −1 … 1. */
  readonly score: number;
  /** Shift that centres the particle, pixels. */
  readonly originX: number;
  readonly originY: number;
}

/** Value, gradient and Hessian of the correlation at a shift. */
interface Expansion {
  readonly f: number;
  readonly fx: number;
  readonly fy: number;
  readonly fxx: number;
  readonly fxy: number;
  readonly fyy: number;
}

/** A longer Newton step, in pixels, leaves the neighbourhood in which the quadratic model holds. */
const maxShiftStep = 1;

/** Compares one particle with slices of one volume on a band. A score lives as long as its memory in the volume's engine. */
export class SliceScore {
  readonly #engine: Engine;
  readonly #box: number;
  readonly #band: BandTables;
  readonly #slices: SliceTaker;
  readonly #phases: PhaseTables;
  readonly #particle: number;
  readonly #slice: number;
  /** Address of the product of the particle and the conjugated slice. */
  readonly #product: number;
  readonly #sums: number;
  #norm = 1;

  constructor(volume: FourierVolume, band: Band) {
    const { engine } = volume;
    this.#engine = engine;
    this.#box = band.box;
    this.#band = putBand(engine, band);
    this.#slices = new SliceTaker(volume, this.#band, band.box);
    this.#phases = new PhaseTables(engine, band.box);
    this.#particle = takeValues(engine, this.#band);
    this.#slice = takeValues(engine, this.#band);
    this.#product = takeValues(engine, this.#band);
    this.#sums = engine.take(24);
  }

  /** @param half - address of the particle's half transform */
  setParticle(half: number): void {
    const { count, offsets } = this.#band;
    this.#engine.call.gatherBand(half, offsets, count, this.#particle);
    const values = this.#engine.floats(this.#particle, 2 * count);
    this.#norm = 1 / Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) || 1);
  }

  /** The score of an orientation, at the best shift near (`x`, `y`). */
  at(matrix: Matrix3, x: number, y: number): SliceMatch {
    const scale = this.#norm / Math.sqrt(this.#slices.take(matrix, this.#slice) || 1);
    this.#engine.call.multiplyBand(this.#particle, this.#slice, this.#band.rounded, this.#product);
    let about = this.#expand(x, y);
    let best = { score: about.f * scale, originX: x, originY: y };
    // The best shift of the neighbouring orientation is a fraction of a pixel away, so two Newton steps are enough.
    for (let step = 0; step < 2; step++) {
      const { fx, fy, fxx, fxy, fyy } = about;
      const determinant = fxx * fyy - fxy * fxy;
      if (!(determinant > 0 && fxx < 0)) break;
      const dx = (fxy * fy - fyy * fx) / determinant;
      const dy = (fxy * fx - fxx * fy) / determinant;
      const shorten = Math.min(1, maxShiftStep / length(dx, dy));
      const [originX, originY] = [best.originX + dx * shorten, best.originY + dy * shorten];
      about = this.#expand(originX, originY);
      if (about.f * scale <= best.score) break;
      best = { score: about.f * scale, originX, originY };
      if (length(dx, dy) < 0.02) break;
    }
    return best;
  }

  /** Second-order expansion of `Re Σ product·exp(−2πi·k·o/box)` about o = (`x`, `y`). */
  #expand(x: number, y: number): Expansion {
    const { frequencies, phases, rounded } = this.#band;
    const { alongX, alongY } = this.#phases;
    this.#phases.set(x, y);
    this.#engine.call.expandBand(frequencies, phases, this.#product, rounded, alongX, alongY, this.#sums);
    const [f, fx, fy, fxx, fxy, fyy] = this.#engine.floats(this.#sums, 6);
    const unit = (2 * Math.PI) / this.#box;
    return {
      f: f!,
      fx: unit * fx!,
      fy: unit * fy!,
      fxx: unit * unit * fxx!,
      fxy: unit * unit * fxy!,
      fyy: unit * unit * fyy!,
    };
  }
}
