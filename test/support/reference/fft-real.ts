import { fft, type Fft } from "./fft.ts";

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

/** Centred half transform of an image (`n`, even, pixels a side). */
export function forward2(image: Float32Array, n: number, out: Float32Array): void {
  rowsForward(image, n, n, out);
  linesInPlace(out, n, n / 2 + 1, n + 2, "forward");
  centre(out, n, 1);
}

/** The image of a centred half transform. Overwrites `half`. */
export function inverse2(half: Float32Array, n: number, out: Float32Array): void {
  centre(half, n, 1);
  linesInPlace(half, n, n / 2 + 1, n + 2, "inverse");
  rowsInverse(half, n, n, out);
}

/** Centred half transform of a cube (`n`, even, voxels a side). */
export function forward3(cube: Float32Array, n: number, out: Float32Array): void {
  rowsForward(cube, n, n * n, out);
  const plane = (n + 2) * n;
  for (let z = 0; z < n; z++)
    linesInPlace(out.subarray(z * plane, (z + 1) * plane), n, n / 2 + 1, n + 2, "forward");
  linesInPlace(out, n, (n / 2 + 1) * n, plane, "forward");
  centre(out, n, n);
}

/** The cube of a centred half transform. Overwrites `half`. */
export function inverse3(half: Float32Array, n: number, out: Float32Array): void {
  const plane = (n + 2) * n;
  centre(half, n, n);
  linesInPlace(half, n, (n / 2 + 1) * n, plane, "inverse");
  for (let z = 0; z < n; z++)
    linesInPlace(half.subarray(z * plane, (z + 1) * plane), n, n / 2 + 1, n + 2, "inverse");
  rowsInverse(half, n, n * n, out);
}

/** Transforms real rows, two at a time as one complex transform. */
function rowsForward(field: Float32Array, n: number, rows: number, out: Float32Array): void {
  const plan = fft(n);
  const data = new Float64Array(2 * n);
  const spectrum = new Float64Array(2 * n);
  for (let row = 0; row < rows; row += 2) {
    const a = row * n;
    for (let x = 0; x < n; x++) {
      data[2 * x] = field[a + x]!;
      data[2 * x + 1] = field[a + n + x]!;
    }
    plan.forward(spectrum, data);
    const outA = row * (n + 2);
    const outB = outA + n + 2;
    for (let k = 0; k <= n / 2; k++) {
      const mirror = k === 0 ? 0 : n - k;
      const re = spectrum[2 * k]!;
      const im = spectrum[2 * k + 1]!;
      const mirrorRe = spectrum[2 * mirror]!;
      const mirrorIm = spectrum[2 * mirror + 1]!;
      out[outA + 2 * k] = (re + mirrorRe) / 2;
      out[outA + 2 * k + 1] = (im - mirrorIm) / 2;
      out[outB + 2 * k] = (im + mirrorIm) / 2;
      out[outB + 2 * k + 1] = (mirrorRe - re) / 2;
    }
  }
}

function rowsInverse(half: Float32Array, n: number, rows: number, out: Float32Array): void {
  const plan = fft(n);
  const data = new Float64Array(2 * n);
  const spectrum = new Float64Array(2 * n);
  for (let row = 0; row < rows; row += 2) {
    const a = row * (n + 2);
    const b = a + n + 2;
    for (let k = 0; k <= n / 2; k++) {
      // A real row has no imaginary parts at kx = 0 and n/2; other values there are rounding.
      const edge = k === 0 || k === n / 2 ? 0 : 1;
      const aRe = half[a + 2 * k]!;
      const aIm = half[a + 2 * k + 1]! * edge;
      const bRe = half[b + 2 * k]!;
      const bIm = half[b + 2 * k + 1]! * edge;
      spectrum[2 * k] = aRe - bIm;
      spectrum[2 * k + 1] = aIm + bRe;
      if (edge === 0) continue;
      spectrum[2 * (n - k)] = aRe + bIm;
      spectrum[2 * (n - k) + 1] = bRe - aIm;
    }
    plan.inverse(data, spectrum);
    for (let x = 0; x < n; x++) {
      out[row * n + x] = data[2 * x]!;
      out[(row + 1) * n + x] = data[2 * x + 1]!;
    }
  }
}

/** Transforms `count` neighbouring complex lines of `n` points that lie `stride` numbers apart. */
function linesInPlace(
  half: Float32Array,
  n: number,
  count: number,
  stride: number,
  direction: "forward" | "inverse",
): void {
  const plan: Fft = fft(n);
  const data = new Float64Array(2 * n);
  const spectrum = new Float64Array(2 * n);
  for (let line = 0; line < count; line++) {
    for (let j = 0, at = 2 * line; j < 2 * n; j += 2, at += stride) {
      data[j] = half[at]!;
      data[j + 1] = half[at + 1]!;
    }
    plan[direction](spectrum, data);
    for (let j = 0, at = 2 * line; j < 2 * n; j += 2, at += stride) {
      half[at] = spectrum[j]!;
      half[at + 1] = spectrum[j + 1]!;
    }
  }
}

/** Moves the origin of phases between sample 0 and sample n/2: a factor of −1 at every odd kx + ky + kz. */
function centre(half: Float32Array, n: number, planes: number): void {
  for (let z = 0; z < planes; z++) {
    for (let y = 0; y < n; y++) {
      const row = (z * n + y) * (n + 2);
      for (let x = (z + y + 1) & 1; x <= n / 2; x += 2) {
        half[row + 2 * x] = -half[row + 2 * x]!;
        half[row + 2 * x + 1] = -half[row + 2 * x + 1]!;
      }
    }
  }
}
