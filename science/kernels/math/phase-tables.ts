import type { Engine } from "../wasm/engine.ts";
import { cos, sin } from "./trigonometry.ts";

/**
 * `exp(2πi·k·step/box)` for k = −box/2 … box/2 and a step along each axis, as re, im pairs in the memory of an engine: the
 * phases of a shift are products of two such numbers.
 */
export class PhaseTables {
  /** Addresses of k = −box/2. */
  readonly alongX: number;
  readonly alongY: number;
  readonly #engine: Engine;
  readonly #box: number;

  constructor(engine: Engine, box: number) {
    this.#engine = engine;
    this.#box = box;
    this.alongX = engine.take(8 * (box + 1));
    this.alongY = engine.take(8 * (box + 1));
  }

  /** Fills the tables for another shift, pixels. */
  set(x: number, y: number): void {
    this.#fill(this.alongX, x);
    this.#fill(this.alongY, y);
  }

  /**
   * Fills a table with powers of one number. In 64 bits they are exact to all digits of the 32-bit table, at a tenth of the
   * cost of cosines.
   */
  #fill(at: number, step: number): void {
    const half = this.#box / 2;
    const table = this.#engine.floats(at, 2 * (this.#box + 1));
    const angle = (2 * Math.PI * step) / this.#box;
    const [stepRe, stepIm] = [cos(angle), sin(angle)];
    let [re, im] = [1, 0];
    for (let k = 0; k <= half; k++) {
      table[2 * (half + k)] = table[2 * (half - k)] = re;
      table[2 * (half + k) + 1] = im;
      table[2 * (half - k) + 1] = -im;
      const next = re * stepRe - im * stepIm;
      im = re * stepIm + im * stepRe;
      re = next;
    }
  }
}
