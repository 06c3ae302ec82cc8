import type { Engine } from "../wasm/engine.ts";
import { Background } from "./background.ts";
import { halfLength2, RealTransform } from "./fft-real.ts";
import { paddedSize, triangleTransform } from "./fourier-volume.ts";
import { polarColumns, polarSamples, polarTable, type PolarGrid } from "./polar.ts";

/** Turns images of one size into polar samples, in the memory of an engine. */
export class PolarSampler {
  /** Address of the last image's samples: re, im pairs at every angle of half a ring, ring after ring. */
  readonly samples: number;
  readonly #engine: Engine;
  readonly #box: number;
  readonly #padded: number;
  readonly #correction: Float64Array;
  readonly #transform: RealTransform;
  readonly #columns: number;
  readonly #table: number;
  readonly #count: number;
  readonly #half: number;
  readonly #background: Background;

  constructor(engine: Engine, grid: PolarGrid) {
    this.#engine = engine;
    this.#box = grid.box;
    this.#padded = paddedSize(grid.box);
    this.#correction = triangleTransform(grid.box, this.#padded).map((value) => 1 / value);
    this.#transform = new RealTransform(engine, this.#padded);
    this.#columns = polarColumns(grid, this.#padded);
    this.#table = engine.put(polarTable(grid, this.#padded));
    this.#count = polarSamples(grid);
    this.#background = new Background(grid.box, grid.particleRadius);
    this.#half = engine.take(4 * halfLength2(this.#padded));
    this.samples = engine.take(8 * this.#count);
  }

  /**
   * Samples an image of `box`² pixels, padded with zeros. The background must be 0, because an edge between grey and zeros
   * would be in every ring.
   */
  sample(image: Float32Array): void {
    const [box, padded, correction] = [this.#box, this.#padded, this.#correction];
    const offset = (padded - box) / 2;
    const mean = this.#background.meanOf(image);
    const field = this.#engine.floats(this.#half, halfLength2(padded)).fill(0);
    for (let y = 0, from = 0; y < box; y++) {
      const to = (y + offset) * (padded + 2) + offset;
      for (let x = 0; x < box; x++, from++)
        field[to + x] = (image[from]! - mean) * correction[y]! * correction[x]!;
    }
    this.#transform.forward2(this.#half, { filled: [offset, offset + box], columns: this.#columns });
    this.#engine.call.samplePolar(this.#half, this.#table, this.#count, this.samples);
  }
}
