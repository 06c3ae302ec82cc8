import type { Engine } from "../wasm/engine.ts";
import type { Band } from "./band.ts";
import type { Matrix3 } from "./euler.ts";
import type { FourierVolume } from "./fourier-volume.ts";

/** A band's samples are padded to a multiple of this, with frequency 0 and value 0. */
const lanes = 4;

/** A band in the memory of an engine. */
export interface BandTables {
  /** Number of samples, and the padded number for code that takes four at a time. */
  readonly count: number;
  readonly rounded: number;
  /** Address of each sample's u and v, as 32-bit numbers. */
  readonly frequencies: number;
  /** Address of the offsets of each sample's phases in the two {@link PhaseTables}. */
  readonly phases: number;
  /** Address of each sample's offset in a half transform. */
  readonly offsets: number;
}

/** Writes a band's tables. */
export function putBand(engine: Engine, { box, u, v, at }: Band): BandTables {
  const count = u.length;
  const rounded = Math.ceil(count / lanes) * lanes;
  const frequencies = new Float32Array(2 * rounded);
  const phases = new Uint32Array(2 * rounded);
  for (let i = 0; i < rounded; i++) {
    const [x, y] = [u[i] ?? 0, v[i] ?? 0];
    frequencies.set([x, y], 2 * i);
    phases.set([8 * (x + box / 2), 8 * (y + box / 2)], 2 * i);
  }
  const offsets = engine.put(Uint32Array.from(at, (index) => 4 * index));
  return { count, rounded, frequencies: engine.put(frequencies), phases: engine.put(phases), offsets };
}

/** Allocates a value, re and im, for each sample of a band; the padding is 0. @returns the address */
export function takeValues(engine: Engine, { rounded }: BandTables): number {
  const at = engine.take(8 * rounded);
  engine.floats(at, 2 * rounded).fill(0);
  return at;
}

/** Allocates the steps of {@link putSteps}. @returns the address */
export function takeSteps(engine: Engine): number {
  return engine.take(32);
}

/**
 * Writes the vectors in a cube of one step along u and one along v of an image; the cube has `scale` times the image's samples
 * a side.
 */
export function putSteps(engine: Engine, at: number, matrix: Matrix3, scale: number): void {
  const [m0, m1, m2, m3, m4, m5] = matrix;
  const steps = [m0, m1, m2, 0, m3, m4, m5, 0];
  engine.floats(at, 8).set(steps.map((step) => step * scale));
}

/** Takes central slices of a volume (projection-slice theorem): the transforms of the map's projections, on a band. */
export class SliceTaker {
  readonly #volume: FourierVolume;
  readonly #band: BandTables;
  readonly #scale: number;
  readonly #steps: number;

  /** @param box - side of the band's image */
  constructor(volume: FourierVolume, band: BandTables, box: number) {
    this.#volume = volume;
    this.#band = band;
    this.#scale = volume.padded / box;
    this.#steps = takeSteps(volume.engine);
  }

  /**
   * Takes the slice of an orientation, with trilinear interpolation.
   * @param to - address of the values
   * @returns the sum of the values' squares
   */
  take(matrix: Matrix3, to: number): number {
    const { engine, half, padded } = this.#volume;
    const { frequencies, count } = this.#band;
    putSteps(engine, this.#steps, matrix, this.#scale);
    return engine.call.sliceBand(half, padded, this.#steps, frequencies, count, to);
  }
}
