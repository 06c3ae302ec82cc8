import Radix4 from "fft.js";

/** A one-dimensional complex transform of one length; complex numbers stand as re, im pairs. */
export interface Fft {
  readonly size: number;
  /** `out[k] = Σ data[j]·exp(−2πi·jk/size)`; `out` and `data` are different arrays of `2·size` numbers. */
  forward(out: Float64Array, data: Float64Array): void;
  /** Inverts {@link Fft.forward}, scaled by `1/size`. */
  inverse(out: Float64Array, data: Float64Array): void;
}

const plans = new Map<number, Fft>();

/**
 * The plan for a length, made once: radix-4 of the fft.js package for powers of two, Bluestein's algorithm on top of it
 * for every other length (boxes of 100 or 360 pixels are common; they cost about five times as much).
 *
 * @throws RangeError when `size` is not an integer above 1
 */
export function fft(size: number): Fft {
  const known = plans.get(size);
  if (known) return known;
  if (!Number.isInteger(size) || size < 2)
    throw new RangeError(`a transform of ${size} points; at least 2 are needed`);
  const plan = isPowerOfTwo(size) ? radix4(size) : bluestein(size);
  plans.set(size, plan);
  return plan;
}

/** Whether a positive integer is a power of two. */
function isPowerOfTwo(size: number): boolean {
  return (size & (size - 1)) === 0;
}

/** The smallest power of two that is not below `size`. */
function nextPowerOfTwo(size: number): number {
  let power = 1;
  while (power < size) power *= 2;
  return power;
}

function radix4(size: number): Fft {
  const plan = new Radix4(size);
  return {
    size,
    forward: (out, data) => plan.transform(out, data),
    inverse: (out, data) => plan.inverseTransform(out, data),
  };
}

/** L. Bluestein, IEEE Trans. Audio Electroacoust. 18 (1970) 451: any length as a convolution with a chirp. */
function bluestein(size: number): Fft {
  const length = nextPowerOfTwo(2 * size - 1);
  const inner = radix4(length);
  const chirp = new Float64Array(2 * size);
  for (let j = 0; j < size; j++) {
    // j² modulo 2·size before the division keeps the angle exact for long transforms.
    const angle = (Math.PI * ((j * j) % (2 * size))) / size;
    chirp[2 * j] = Math.cos(angle);
    chirp[2 * j + 1] = Math.sin(angle);
  }
  const a = new Float64Array(2 * length);
  const b = new Float64Array(2 * length);
  const filter = new Float64Array(2 * length);
  for (let j = 0; j < size; j++) {
    for (const at of j === 0 ? [0] : [j, length - j]) {
      a[2 * at] = chirp[2 * j]!;
      a[2 * at + 1] = chirp[2 * j + 1]!;
    }
  }
  inner.forward(filter, a);

  /** `sign` is 1 for the forward transform and −1 for the inverse, which is the conjugate of the forward of the conjugate. */
  const run = (out: Float64Array, data: Float64Array, sign: 1 | -1, scale: number): void => {
    a.fill(0);
    for (let j = 0; j < 2 * size; j += 2) {
      const re = data[j]!;
      const im = sign * data[j + 1]!;
      a[j] = re * chirp[j]! + im * chirp[j + 1]!;
      a[j + 1] = im * chirp[j]! - re * chirp[j + 1]!;
    }
    inner.forward(b, a);
    for (let j = 0; j < 2 * length; j += 2) {
      const re = b[j]!;
      const im = b[j + 1]!;
      a[j] = re * filter[j]! - im * filter[j + 1]!;
      a[j + 1] = re * filter[j + 1]! + im * filter[j]!;
    }
    inner.inverse(b, a);
    for (let j = 0; j < 2 * size; j += 2) {
      const re = b[j]!;
      const im = b[j + 1]!;
      out[j] = scale * (re * chirp[j]! + im * chirp[j + 1]!);
      out[j + 1] = sign * scale * (im * chirp[j]! - re * chirp[j + 1]!);
    }
  };
  return {
    size,
    forward: (out, data) => run(out, data, 1, 1),
    inverse: (out, data) => run(out, data, -1, 1 / size),
  };
}
