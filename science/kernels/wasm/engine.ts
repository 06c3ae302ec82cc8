import { wasmBase64 } from "./binary.ts";

/** The exports of assembly/index.ts, which documents them. Addresses are bytes in the engine's memory. */
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

// The used part of the API: shared code is compiled without the types of browsers and Node.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

let module: object | undefined;

const pageBytes = 65_536;
/** Size of the 32-bit address space. */
const addressableBytes = 2 ** 32;
/** SIMD loads read up to 16 bytes where only 4 are used. */
const slackBytes = 64;

/**
 * An instance of the kernels' WebAssembly, with a stack allocator of its memory.
 *
 * The code is compiled once a worker. Calls are short (a particle, a plane, a slice), because V8 replaces its baseline code by
 * optimised code only between calls: a single call for a whole task takes up to three times as long.
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
   * Allocates bytes, not cleared.
   * @returns their address, a multiple of 16
   * @throws RangeError when the machine has too little memory
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

  /** Allocates and copies numbers. @returns their address */
  put(numbers: Float32Array | Uint32Array): number {
    const at = this.take(numbers.byteLength);
    if (numbers instanceof Float32Array) this.floats(at, numbers.length).set(numbers);
    else this.words(at, numbers.length).set(numbers);
    return at;
  }

  /** A view of memory; good until the next allocation. */
  floats(at: number, count: number): Float32Array {
    return new Float32Array(this.#memory.buffer, at, count);
  }

  /** A view of memory; good until the next allocation. */
  words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, at, count);
  }

  /** Address of the next allocation, for {@link release}. */
  get top(): number {
    return this.#top;
  }

  /** Frees all memory from `top` on. */
  release(top = this.#base): void {
    this.#top = top;
  }
}

function align(at: number): number {
  return Math.ceil(at / 16) * 16;
}

// Engines are reused by the next task, because memory can grow but not shrink, and a new memory costs address space.
const idle: Engine[] = [];

/** Runs `work` with an engine of its own. `work` must not await, and its result must not hold addresses. */
export function withEngine<T>(work: (engine: Engine) => T): T {
  const engine = idle.pop() ?? new Engine();
  try {
    return work(engine);
  } finally {
    engine.release();
    idle.push(engine);
  }
}
