import { forward2, halfLength2 } from "./fft-real.ts";
import { paddedSize, triangleTransform } from "../../../science/kernels/math/fourier-volume.ts";
import type { PolarGrid } from "../../../science/kernels/math/polar.ts";
import { samplePolar } from "./polar.ts";

/** Turns images of one size into polar samples, with buffers of its own. */
export class PolarSampler {
  readonly #grid: PolarGrid;
  readonly #padded: number;
  readonly #image: Float32Array;
  readonly #half: Float32Array;
  readonly #correction: Float64Array;

  constructor(grid: PolarGrid) {
    this.#grid = grid;
    this.#padded = paddedSize(grid.box);
    this.#image = new Float32Array(this.#padded ** 2);
    this.#half = new Float32Array(halfLength2(this.#padded));
    this.#correction = triangleTransform(grid.box, this.#padded);
  }

  /**
   * Polar samples of an image.
   * @param image - `box`² pixels
   * @param out - `polarLength(grid)` numbers
   */
  sample(image: Float32Array, out: Float64Array): void {
    const { box } = this.#grid;
    const offset = (this.#padded - box) / 2;
    const mean = backgroundOf(image, this.#grid);
    for (let y = 0; y < box; y++) {
      const to = (y + offset) * this.#padded + offset;
      for (let x = 0; x < box; x++)
        this.#image[to + x] = (image[y * box + x]! - mean) / (this.#correction[y]! * this.#correction[x]!);
    }
    forward2(this.#image, this.#padded, this.#half);
    samplePolar(this.#half, this.#padded, this.#grid, out);
  }
}

/** Mean of the pixels outside the particle. */
function backgroundOf(image: Float32Array, { box, particleRadius }: PolarGrid): number {
  const outside = image.filter(
    (_, i) => Math.hypot((i % box) - box / 2, Math.floor(i / box) - box / 2) > particleRadius,
  );
  return outside.reduce((sum, value) => sum + value, 0) / outside.length;
}
