import type { Engine } from "../wasm/engine.ts";
import { cos, sin } from "./trigonometry.ts";

/** A plan for four complex transforms of one length at once (wasm/assembly/fft.ts), with its buffers. */
export interface FftPlan {
  readonly size: number;
  /** Address of the plan's tables. */
  readonly at: number;
  /** Addresses of two buffers of `size` + 4 points each. */
  readonly a: number;
  readonly b: number;
}

/** Bytes of one point of four transforms. */
const pointBytes = 32;

/**
 * Makes plans for transforms of one length: radix 4, then 2 and odd primes. Any length works: the usual boxes have the factors
 * 2, 3, 5 and 7, and a large prime factor p costs p operations a point.
 *
 * @throws RangeError when `size` is not an integer above 1
 */
export function fftPlan(engine: Engine, size: number): FftPlan {
  if (!Number.isInteger(size) || size < 2)
    throw new RangeError(`a transform of ${size} points; at least 2 are needed`);
  const radices = radicesOf(size);
  const at = engine.take(16 * (radices.length + 1));
  const scratch = engine.take(pointBytes * Math.max(...radices));
  const header = [size, radices.length, scratch, 0];
  let [points, stride] = [size, 1];
  for (const radix of radices) {
    header.push(radix, points / radix, stride, engine.put(stageTable(points, radix)));
    points /= radix;
    stride *= radix;
  }
  engine.words(at, header.length).set(header);
  const [a, b] = [engine.take(pointBytes * (size + 4)), engine.take(pointBytes * (size + 4))];
  return { size, at, a, b };
}

/** The radices of a length. Radix 4 comes last, if there is any: the last stage needs no twiddle factors. */
function radicesOf(size: number): number[] {
  const radices: number[] = [];
  let rest = size;
  for (; rest % 4 === 0; rest /= 4) radices.push(4);
  for (let prime = 2; rest > 1; prime++) for (; rest % prime === 0; rest /= prime) radices.unshift(prime);
  return radices;
}

/** The twiddle factors of a stage, and the roots of unity of an odd radix. */
function stageTable(points: number, radix: number): Float32Array {
  const table: number[] = [];
  for (let p = 0; p < points / radix; p++)
    for (let k = 1; k < radix; k++) {
      const angle = (-2 * Math.PI * p * k) / points;
      table.push(cos(angle), sin(angle));
    }
  if (radix === 2 || radix === 4) return Float32Array.from(table);
  const half = (radix - 1) / 2;
  for (let k = 1; k <= half; k++)
    for (let j = 1; j <= half; j++) {
      const angle = (2 * Math.PI * ((j * k) % radix)) / radix;
      table.push(cos(angle), sin(angle));
    }
  return Float32Array.from(table);
}

/** The smallest even number from `size` on whose prime factors are 2, 3 and 5: transforms of such lengths are fast. */
export function nextFastSize(size: number): number {
  for (let even = 2 * Math.ceil(size / 2); ; even += 2) {
    let rest = even;
    for (const prime of [2, 3, 5]) while (rest % prime === 0) rest /= prime;
    if (rest === 1) return even;
  }
}
