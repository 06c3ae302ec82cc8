import { wasmBase64 } from "./binary.ts";

/** What assembly/index.ts exports; addresses are bytes in the engine's memory. Documented there. */
interface Calls {
  transform4(plan: number, a: number, b: number): number;
  rowsForward(
    plan: number,
    base: number,
    n: number,
    rows: number,
    rowBytes: number,
    a: number,
    b: number,
    spare: number,
  ): void;
  rowsInverse(
    plan: number,
    base: number,
    n: number,
    rows: number,
    rowBytes: number,
    scale: number,
    a: number,
    b: number,
    spare: number,
  ): void;
  linesForward(plan: number, base: number, count: number, stride: number, a: number, b: number): void;
  linesInverse(plan: number, base: number, count: number, stride: number, a: number, b: number): void;
  samplePolar(half: number, table: number, count: number, to: number): void;
  ringSpectra(
    plan: number,
    samples: number,
    phases: number,
    hand: number,
    rings: number,
    harmonics: number,
    to: number,
    a: number,
    b: number,
  ): void;
  takeReference(spectra: number, minRing: number, rings: number, harmonics: number, to: number): void;
  particlePower(spectra: number, minRing: number, rings: number, harmonics: number): number;
  matchReferences(
    plan: number,
    spectra: number,
    groups: number,
    references: number,
    count: number,
    firstRing: number,
    rings: number,
    harmonics: number,
    to: number,
    a: number,
    b: number,
  ): void;
  sliceBand(half: number, padded: number, matrix: number, band: number, count: number, to: number): number;
  multiplyBand(particle: number, slice: number, count: number, to: number): void;
  expandBand(
    band: number,
    indices: number,
    product: number,
    count: number,
    alongX: number,
    alongY: number,
    to: number,
  ): void;
  gatherBand(half: number, offsets: number, count: number, to: number): void;
  shiftBand(values: number, indices: number, count: number, alongX: number, alongY: number): void;
  insertSlice(
    volume: number,
    padded: number,
    matrix: number,
    band: number,
    values: number,
    count: number,
    weight: number,
  ): void;
  addAligned(
    image: number,
    side: number,
    out: number,
    box: number,
    cos: number,
    sin: number,
    hand: number,
    fromX: number,
    fromY: number,
  ): void;
  sine(angle: number): number;
  cosine(angle: number): number;
  arcTangent(y: number, x: number): number;
}

interface Exports extends Calls {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly heapBase: { readonly value: number };
}

// As much of it as is used: shared code is compiled without the types of browsers and Node.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

let module: object | undefined;

const pageBytes = 65_536;
/** What 32-bit addresses reach. */
const addressableBytes = 2 ** 32;
/** SIMD loads read up to 16 bytes where 4 count. */
const slackBytes = 64;

/**
 * One instance of the kernels' WebAssembly and its memory, given out in order and taken back in the opposite one.
 *
 * The code is compiled once a worker, and calls are kept short (a particle, a plane, a slice): V8 replaces its baseline
 * code by the optimised one only between calls, so that one call for a whole task ran up to three times as long.
 */
export class Engine {
  readonly call: Calls;
  readonly #memory: Exports["memory"];
  readonly #base: number;
  #top: number;

  constructor() {
    module ??= new WebAssembly.Module(Uint8Array.from(atob(wasmBase64), (char) => char.charCodeAt(0)));
    const exports = new WebAssembly.Instance(module).exports as Exports;
    this.call = exports;
    this.#memory = exports.memory;
    this.#base = align(exports.heapBase.value);
    this.#top = this.#base;
  }

  /**
   * Room for so many bytes, not cleared.
   * @returns its address, a multiple of 16
   * @throws RangeError when the machine has not got the memory
   */
  take(bytes: number): number {
    if (!(bytes >= 0 && bytes <= addressableBytes))
      throw new RangeError(`room for ${bytes} bytes; WebAssembly has ${addressableBytes}`);
    const at = this.#top;
    const top = align(at + bytes);
    const missing = top + slackBytes - this.#memory.buffer.byteLength;
    if (missing > 0) this.#grow(missing);
    this.#top = top;
    return at;
  }

  #grow(bytes: number): void {
    try {
      this.#memory.grow(Math.ceil(bytes / pageBytes));
    } catch {
      const [more, before] = [bytes, this.#memory.buffer.byteLength].map((size) => Math.ceil(size / 2 ** 20));
      throw new RangeError(
        `${more} MiB more than the ${before} MiB that the kernel has; there are not as many`,
      );
    }
  }

  /** Room with numbers in it. @returns its address */
  put(numbers: Float32Array | Uint32Array): number {
    const at = this.take(numbers.byteLength);
    if (numbers instanceof Float32Array) this.floats(at, numbers.length).set(numbers);
    else this.words(at, numbers.length).set(numbers);
    return at;
  }

  /** A view of memory; good until more is taken. */
  floats(at: number, count: number): Float32Array {
    return new Float32Array(this.#memory.buffer, at, count);
  }

  /** A view of memory; good until more is taken. */
  words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, at, count);
  }

  /** Where the next room begins: a place to {@link release} to. */
  get top(): number {
    return this.#top;
  }

  /** Gives back all that was taken since. */
  release(top = this.#base): void {
    this.#top = top;
  }
}

function align(at: number): number {
  return Math.ceil(at / 16) * 16;
}

// Memory is kept for the next task: it can grow and not shrink, and a new one costs the engine's host address space.
const idle: Engine[] = [];

/** Work with an engine of its own for as long as the work lasts. It must not await: what it returns holds no addresses. */
export function withEngine<T>(work: (engine: Engine) => T): T {
  const engine = idle.pop() ?? new Engine();
  try {
    return work(engine);
  } finally {
    engine.release();
    idle.push(engine);
  }
}
