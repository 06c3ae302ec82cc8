import type { Engine } from "../wasm/engine.ts";
import type { Matrix3 } from "./euler.ts";
import { forEachRow } from "./partial-volume.ts";
import { putSteps, takeSteps, type BandTables } from "./slice-band.ts";

/** Numbers of one sample: weighted sums of re and im, the sum of the weights, and 0. */
const sampleLength = 4;

/** A sum of Fourier slices in a cube, in the memory of an engine. */
export class SliceSum {
  readonly #engine: Engine;
  readonly #padded: number;
  readonly #volume: number;
  readonly #steps: number;

  /** @param padded - voxels a side, even */
  constructor(engine: Engine, padded: number) {
    this.#engine = engine;
    this.#padded = padded;
    const length = sampleLength * (padded / 2 + 1) * padded * padded;
    this.#volume = engine.take(4 * length);
    engine.floats(this.#volume, length).fill(0);
    this.#steps = takeSteps(engine);
  }

  /**
   * Adds the central slice of one particle, trilinearly spread over the eight nearest samples.
   *
   * @param values - address of the particle's centred transform on `band`, whose box is as large as the cube
   * @param matrix - orientation, of `eulerMatrix`
   */
  add(values: number, { frequencies, count }: BandTables, matrix: Matrix3, weight: number): void {
    putSteps(this.#engine, this.#steps, matrix, 1);
    const { call } = this.#engine;
    call.insertSlice(this.#volume, this.#padded, this.#steps, frequencies, values, count, weight);
  }

  /** Packs the part inside a sphere for {@link addPacked}: re, im, weight triples, about half of the cube. */
  pack(radius: number): Float32Array {
    let total = 0;
    forEachRow(this.#padded, radius, (_, count) => (total += count));
    const packed = new Float32Array(3 * total);
    let to = 0;
    forEachRow(this.#padded, radius, (first, count) => {
      const row = this.#engine.floats(this.#volume + 4 * sampleLength * first, sampleLength * count);
      for (let at = 0; at < row.length; at += sampleLength) {
        packed[to++] = row[at]!;
        packed[to++] = row[at + 1]!;
        packed[to++] = row[at + 2]!;
      }
    });
    return packed;
  }
}
