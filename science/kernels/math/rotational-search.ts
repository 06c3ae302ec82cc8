import type { Engine } from "../wasm/engine.ts";
import { checkShifts } from "./checks.ts";
import { fftPlan, type FftPlan } from "./fft-plan.ts";
import { polarShifts, type PolarGrid } from "./polar.ts";
import { PolarSampler } from "./polar-image.ts";
import { length } from "./trigonometry.ts";

/**
 * The best fit of a particle to a reference: the particle, moved by the origin and then flipped left to right when `mirror` is
 * true (both about the centre pixel), matches the reference rotated in its plane by `psi` in RELION's sense.
 */
export interface Match {
  /** Normalised correlation over the band, −1 … 1. */
  readonly score: number;
  /** Degrees, 0 … 360. */
  readonly psi: number;
  /** Pixels. */
  readonly originX: number;
  readonly originY: number;
  readonly mirror: boolean;
}

/**
 * Shifts on a square grid within a circle, nearest first; pixels.
 * @throws RangeError for an invalid grid, or one of too many shifts
 */
export function shiftGrid(radius: number, step: number): { x: number; y: number }[] {
  checkShifts(radius, step);
  const shifts: { x: number; y: number }[] = [];
  const reach = Math.floor(radius / step);
  for (let y = 0 - reach; y <= reach; y++)
    for (let x = 0 - reach; x <= reach; x++)
      if (length(x, y) * step <= radius + 1e-9) shifts.push({ x: x * step, y: y * step });
  return shifts.sort((a, b) => length(a.x, a.y) - length(b.x, b.y));
}

/** Spectra of a group; four of them are made in one call. */
const groupSize = 8;
const lanes = 4;
/** References of one call, which takes a millisecond or so. */
const callSize = 128;

/**
 * Finds the in-plane rotation, shift and hand of the best fit of a particle to each reference, by trying all of them: a sum
 * over rings and a short inverse transform give the correlation at all angles. A search lives as long as its engine's memory.
 */
export class RotationalSearch {
  readonly #engine: Engine;
  readonly #grid: PolarGrid;
  readonly #shifts: readonly { x: number; y: number }[];
  readonly #angles: number;
  readonly #sampler: PolarSampler;
  /** Plans for the rings, and for the correlation over all angles. */
  readonly #rings: FftPlan;
  readonly #correlation: FftPlan;
  readonly #firstRing: number;
  /** Phases and hands of four spectra each, and those of an unmoved image. */
  readonly #moves: readonly { readonly phases: number; readonly hand: number }[];
  readonly #asItIs: { readonly phases: number; readonly hand: number };
  readonly #spectra: number;
  readonly #last: number;
  readonly #single: number;
  readonly #found: number;
  #references = 0;
  #count = 0;
  #norm = 1;

  /**
   * @param options.mirror - tries the mirror image of the particle too
   * @param options.finer - a power of two: factor of the grid's number of angles, interpolated without loss
   */
  constructor(
    engine: Engine,
    grid: PolarGrid,
    shifts: readonly { x: number; y: number }[],
    { mirror = false, finer = 1 }: { readonly mirror?: boolean; readonly finer?: number } = {},
  ) {
    this.#engine = engine;
    this.#grid = grid;
    this.#shifts = shifts;
    this.#angles = grid.angles * finer;
    this.#sampler = new PolarSampler(engine, grid);
    this.#rings = fftPlan(engine, grid.angles);
    this.#correlation = fftPlan(engine, this.#angles);
    this.#firstRing = engine.put(Uint32Array.from(grid.firstRing));
    const count = shifts.length * (mirror ? 2 : 1);
    this.#last = count - 1;
    this.#moves = Array.from({ length: 2 * Math.ceil(count / groupSize) }, (_, four) =>
      this.#putMoves(
        // Surplus lanes repeat the last spectrum.
        Array.from({ length: lanes }, (__, lane) => Math.min(four * lanes + lane, count - 1)),
      ),
    );
    this.#asItIs = this.#putMoves([0, 0, 0, 0], [{ x: 0, y: 0 }]);
    this.#spectra = engine.take((this.#moves.length / 2) * this.#groupBytes);
    this.#single = engine.take(this.#groupBytes);
    this.#found = engine.take(16 * callSize);
  }

  /** Replaces the reference images. */
  setReferences(images: Float32Array): void {
    const { box, minRing, rings, harmonics, spectrumLength } = this.#grid;
    const area = box * box;
    this.#count = images.length / area;
    if (this.#references) this.#engine.release(this.#references);
    this.#references = this.#engine.take(4 * spectrumLength * this.#count);
    for (let i = 0; i < this.#count; i++) {
      this.#sampler.sample(images.subarray(i * area, (i + 1) * area));
      this.#transform(this.#asItIs, this.#single);
      const to = this.#references + 4 * spectrumLength * i;
      this.#engine.call.takeReference(this.#single, minRing, rings, harmonics, to);
    }
  }

  setParticle(image: Float32Array): void {
    const { minRing, rings, harmonics } = this.#grid;
    this.#sampler.sample(image);
    this.#moves.forEach((move, four) =>
      this.#transform(move, this.#spectra + (four >> 1) * this.#groupBytes + 32 * (four & 1)),
    );
    this.#norm =
      1 / Math.sqrt(this.#engine.call.particlePower(this.#spectra, minRing, rings, harmonics) || 1);
  }

  /** The best match of the particle to each reference, in the order of the references. */
  matches(): Match[] {
    const found: Match[] = [];
    for (let first = 0; first < this.#count; first += callSize) {
      const count = Math.min(callSize, this.#count - first);
      this.#search(first, count);
      const scores = this.#engine.floats(this.#found, 4 * count);
      const places = this.#engine.words(this.#found, 4 * count);
      for (let at = 0; at < 4 * count; at += 4)
        // A lane that repeats the last spectrum may have won by rounding.
        found.push(this.#match(scores[at]!, places[at + 1]!, Math.min(places[at + 2]!, this.#last)));
    }
    return found;
  }

  #match(correlation: number, angle: number, spectrum: number): Match {
    const { x, y } = this.#shifts[spectrum % this.#shifts.length]!;
    return {
      score: correlation * this.#norm,
      psi: (angle * 360) / this.#angles,
      originX: x,
      originY: y,
      mirror: spectrum >= this.#shifts.length,
    };
  }

  #search(first: number, count: number): void {
    const { rings, harmonics, spectrumLength } = this.#grid;
    const { at, a, b } = this.#correlation;
    this.#engine.call.matchReferences(
      at,
      this.#spectra,
      this.#moves.length / 2,
      this.#references + 4 * spectrumLength * first,
      count,
      this.#firstRing,
      rings,
      harmonics,
      this.#found,
      a,
      b,
    );
  }

  #transform({ phases, hand }: { readonly phases: number; readonly hand: number }, to: number): void {
    const { rings, harmonics } = this.#grid;
    const { at, a, b } = this.#rings;
    this.#engine.call.ringSpectra(at, this.#sampler.samples, phases, hand, rings, harmonics, to, a, b);
  }

  #putMoves(
    spectra: readonly number[],
    shifts = this.#shifts,
  ): { readonly phases: number; readonly hand: number } {
    const moved = spectra.map((spectrum) => shifts[spectrum % shifts.length]!);
    return {
      phases: this.#engine.put(polarShifts(this.#grid, moved)),
      hand: this.#engine.put(Float32Array.from(spectra, (spectrum) => (spectrum < shifts.length ? 1 : -1))),
    };
  }

  get #groupBytes(): number {
    return 4 * groupSize * this.#grid.spectrumLength;
  }
}
