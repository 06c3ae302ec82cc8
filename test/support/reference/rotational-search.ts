import type { PolarGrid } from "../../../science/kernels/math/polar.ts";
import type { Match } from "../../../science/kernels/math/rotational-search.ts";
import { fft } from "./fft.ts";
import { correlateRings, polarLength, polarShift, ringSpectra, weightedPower, weightRings } from "./polar.ts";
import { PolarSampler } from "./polar-image.ts";

/** Spectra of the references, weighted for `correlateRings` and scaled to unit power. */
export function referenceSpectra(images: Float32Array, grid: PolarGrid): Float64Array[] {
  const sampler = new PolarSampler(grid);
  const samples = new Float64Array(polarLength(grid));
  const area = grid.box ** 2;
  return Array.from({ length: images.length / area }, (_, i) => {
    const spectrum = new Float64Array(grid.spectrumLength);
    sampler.sample(images.subarray(i * area, (i + 1) * area), samples);
    ringSpectra(samples, undefined, grid, spectrum);
    weightRings(spectrum, grid, 1 / Math.sqrt(weightedPower(spectrum, grid) || 1));
    return spectrum;
  });
}

/** Finds the in-plane rotation, shift and hand of the best fit of a particle to a reference, by trying all of them. */
export class RotationalSearch {
  readonly #grid: PolarGrid;
  readonly #shifts: readonly { x: number; y: number }[];
  readonly #phases: Float64Array[];
  readonly #sampler: PolarSampler;
  readonly #samples: Float64Array;
  /** The particle's spectra: one for each shift, then one for each shift of its mirror image. */
  readonly #spectra: Float64Array[];
  readonly #sums: [Float64Array, Float64Array];
  readonly #packed: Float64Array;
  readonly #scores: Float64Array;
  readonly #angles: number;
  #norm = 1;

  /**
   * @param options.mirror - tries the mirror image of the particle too
   * @param options.finer - a power of two: factor of the grid's number of angles, interpolated without loss
   */
  constructor(
    grid: PolarGrid,
    shifts: readonly { x: number; y: number }[],
    { mirror = false, finer = 1 }: { readonly mirror?: boolean; readonly finer?: number } = {},
  ) {
    this.#grid = grid;
    this.#shifts = shifts;
    this.#phases = shifts.map(({ x, y }) => polarShift(grid, x, y));
    this.#sampler = new PolarSampler(grid);
    this.#samples = new Float64Array(polarLength(grid));
    this.#angles = grid.angles * finer;
    const spectra = shifts.length * (mirror ? 2 : 1);
    this.#spectra = Array.from({ length: spectra }, () => new Float64Array(grid.spectrumLength));
    const sum = (): Float64Array => new Float64Array(2 * (grid.harmonics + 1));
    this.#sums = [sum(), sum()];
    this.#packed = new Float64Array(2 * this.#angles);
    this.#scores = new Float64Array(2 * this.#angles);
  }

  setParticle(image: Float32Array): void {
    this.#sampler.sample(image, this.#samples);
    this.#phases.forEach((phases, i) => ringSpectra(this.#samples, phases, this.#grid, this.#spectra[i]!));
    for (let i = this.#phases.length; i < this.#spectra.length; i++)
      mirrorSpectrum(this.#spectra[i - this.#phases.length]!, this.#grid, this.#spectra[i]!);
    this.#norm = 1 / Math.sqrt(weightedPower(this.#spectra[0]!, this.#grid) || 1);
  }

  match(reference: Float64Array): Match {
    const scores = this.#scores;
    let best = -Infinity;
    let bestAt = 0;
    let bestSpectrum = 0;
    for (let i = 0; i < this.#spectra.length; i += 2) {
      const second = Math.min(i + 1, this.#spectra.length - 1);
      this.#rotationalCorrelations(reference, i, second);
      for (let at = 0; at < scores.length; at++) {
        if (scores[at]! <= best) continue;
        best = scores[at]!;
        bestAt = at >> 1;
        bestSpectrum = at & 1 ? second : i;
      }
    }
    const { x, y } = this.#shifts[bestSpectrum % this.#shifts.length]!;
    return {
      // The inverse transform is divided by the number of angles, and weightedPower is not.
      score: best * this.#angles * this.#norm,
      psi: (bestAt * 360) / this.#angles,
      originX: x,
      originY: y,
      mirror: bestSpectrum >= this.#shifts.length,
    };
  }

  /** Correlations of two spectra over all angles, as the real and imaginary part of one inverse transform. */
  #rotationalCorrelations(reference: Float64Array, first: number, second: number): void {
    const { harmonics } = this.#grid;
    const [a, b] = this.#sums;
    const packed = this.#packed;
    correlateRings(this.#spectra[first]!, reference, this.#grid, a);
    correlateRings(this.#spectra[second]!, reference, this.#grid, b);
    packed[0] = a[0]!;
    packed[1] = b[0]!;
    for (let m = 1; m <= harmonics; m++) {
      const k = 2 * m;
      const mirror = 2 * (this.#angles - m);
      packed[k] = a[k]! - b[k + 1]!;
      packed[k + 1] = a[k + 1]! + b[k]!;
      packed[mirror] = a[k]! + b[k + 1]!;
      packed[mirror + 1] = b[k]! - a[k + 1]!;
    }
    fft(this.#angles).inverse(this.#scores, packed);
  }
}

/** The spectrum of an image flipped left to right: its rings run backwards from the opposite end, h′(θ) = h(π − θ). */
function mirrorSpectrum(spectrum: Float64Array, { rings, harmonics }: PolarGrid, out: Float64Array): void {
  for (let m = 0; m <= harmonics; m++) {
    const sign = m % 2 ? -1 : 1;
    for (let at = 2 * m * rings; at < 2 * (m + 1) * rings; at += 2) {
      out[at] = sign * spectrum[at]!;
      out[at + 1] = -sign * spectrum[at + 1]!;
    }
  }
}
