import { Engine, withEngine } from "../wasm/engine.ts";
import { fftPlan, type FftPlan } from "./fft-plan.ts";

/**
 * Real transforms of square images and cubes, separable over one-dimensional transforms.
 *
 * A half transform keeps kx = 0 … n/2 (the rest follows from Hermitian symmetry), as re, im pairs, kx fastest, the other
 * axes in the order of the discrete transform (0 … n/2−1, −n/2 … −1). It is *centred*: phases are those of a field whose
 * origin is sample n/2 of every axis, where electron microscopy puts it. Forward is unscaled, inverse divides by n^d.
 */

/** Numbers in the half transform of an image of `n` × `n`. */
export function halfLength2(n: number): number {
  return (n + 2) * n;
}

/** Numbers in the half transform of a cube of `n` × `n` × `n`. */
export function halfLength3(n: number): number {
  return (n + 2) * n * n;
}

/** The non-zero input and the wanted output of a transform; absent: all. */
interface Extent {
  /** Range of the rows (and planes) with non-zero numbers, as [first, end). */
  readonly filled?: readonly [first: number, end: number];
  /** Number of wanted columns: the samples kx = 0 … columns − 1. */
  readonly columns?: number;
}

/** Transforms of one size in the memory of an engine, in place. Rows are n + 2 numbers apart, n of which are pixels. */
export class RealTransform {
  readonly #engine: Engine;
  readonly #n: number;
  readonly #plan: FftPlan;
  readonly #spare: number;
  readonly #rowBytes: number;

  constructor(engine: Engine, n: number) {
    this.#engine = engine;
    this.#n = n;
    this.#plan = fftPlan(engine, n);
    this.#rowBytes = 4 * (n + 2);
    this.#spare = engine.take(this.#rowBytes + 8);
  }

  /** Centred half transform of the image at an address. */
  forward2(
    at: number,
    { filled: [first, end] = [0, this.#n], columns = this.#n / 2 + 1 }: Extent = {},
  ): void {
    this.#rowsForward(at + first * this.#rowBytes, end - first);
    this.#linesForward(at, columns, this.#rowBytes);
  }

  /** The image of the centred half transform at an address. */
  inverse2(at: number): void {
    const n = this.#n;
    this.#linesInverse(at, n / 2 + 1, this.#rowBytes);
    this.#rowsInverse(at, n, 1 / n ** 2);
  }

  /** Centred half transform of the cube at an address. Planes and lines take separate calls, as {@link Engine} recommends. */
  forward3(at: number, { filled: [first, end] = [0, this.#n] }: Extent = {}): void {
    const n = this.#n;
    const planeBytes = n * this.#rowBytes;
    for (let z = first; z < end; z++) this.forward2(at + z * planeBytes, { filled: [first, end] });
    for (const [y, rows] of this.#rowBlocks())
      this.#linesForward(at + y * this.#rowBytes, rows * (n / 2 + 1), planeBytes);
  }

  /** The cube of the centred half transform at an address. */
  inverse3(at: number): void {
    const n = this.#n;
    const planeBytes = n * this.#rowBytes;
    for (const [y, rows] of this.#rowBlocks())
      this.#linesInverse(at + y * this.#rowBytes, rows * (n / 2 + 1), planeBytes);
    for (let z = 0; z < n; z++) {
      this.#linesInverse(at + z * planeBytes, n / 2 + 1, this.#rowBytes);
      this.#rowsInverse(at + z * planeBytes, n, 1 / n ** 3);
    }
  }

  /** Blocks of rows whose lines along z are transformed in one call. Rows follow each other without a gap, so no lane is idle. */
  *#rowBlocks(): Generator<[y: number, rows: number]> {
    for (let y = 0; y < this.#n; y += 4) yield [y, Math.min(4, this.#n - y)];
  }

  #rowsForward(at: number, rows: number): void {
    const { at: plan, a, b } = this.#plan;
    this.#engine.call.rowsForward(plan, at, this.#n, rows, this.#rowBytes, a, b, this.#spare);
  }

  #rowsInverse(at: number, rows: number, scale: number): void {
    const { at: plan, a, b } = this.#plan;
    this.#engine.call.rowsInverse(plan, at, this.#n, rows, this.#rowBytes, scale, a, b, this.#spare);
  }

  #linesForward(at: number, count: number, stride: number): void {
    const { at: plan, a, b } = this.#plan;
    this.#engine.call.linesForward(plan, at, count, stride, a, b);
  }

  #linesInverse(at: number, count: number, stride: number): void {
    const { at: plan, a, b } = this.#plan;
    this.#engine.call.linesInverse(plan, at, count, stride, a, b);
  }
}

/** Centred half transform of an image (`n`, even, pixels a side). */
export function forward2(image: Float32Array, n: number, out: Float32Array): void {
  withEngine((engine) => {
    const transform = new RealTransform(engine, n);
    const at = engine.take(4 * halfLength2(n));
    spreadRows(image, n, engine.floats(at, halfLength2(n)));
    transform.forward2(at);
    out.set(engine.floats(at, halfLength2(n)));
  });
}

/** The image of a centred half transform. */
export function inverse2(half: Float32Array, n: number, out: Float32Array): void {
  withEngine((engine) => {
    const transform = new RealTransform(engine, n);
    const at = engine.put(half);
    transform.inverse2(at);
    gatherRows(engine.floats(at, halfLength2(n)), n, out);
  });
}

/** Centred half transform of a cube (`n`, even, voxels a side). */
export function forward3(cube: Float32Array, n: number, out: Float32Array): void {
  // A temporary engine: its memory is as large as the cube, and must be freed with it.
  const engine = new Engine();
  const transform = new RealTransform(engine, n);
  const at = engine.take(4 * halfLength3(n));
  spreadRows(cube, n, engine.floats(at, halfLength3(n)));
  transform.forward3(at);
  out.set(engine.floats(at, halfLength3(n)));
}

/** The cube of a centred half transform. */
export function inverse3(half: Float32Array, n: number, out: Float32Array): void {
  const engine = new Engine();
  const transform = new RealTransform(engine, n);
  const at = engine.put(half);
  transform.inverse3(at);
  gatherRows(engine.floats(at, halfLength3(n)), n, out);
}

/** Copies rows of `n` numbers to rows of `n` + 2. */
export function spreadRows(field: Float32Array, n: number, out: Float32Array): void {
  for (let from = 0, to = 0; from < field.length; from += n, to += n + 2)
    out.set(field.subarray(from, from + n), to);
}

/** Copies rows of `n` + 2 numbers to rows of `n`. */
export function gatherRows(half: Float32Array, n: number, out: Float32Array): void {
  for (let from = 0, to = 0; to < out.length; from += n + 2, to += n)
    out.set(half.subarray(from, from + n), to);
}
