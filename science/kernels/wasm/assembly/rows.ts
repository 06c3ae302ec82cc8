// Real transforms of the rows of a field, in place: n numbers and two spare ones become n/2 + 1 complex numbers. Eight rows
// make four transforms, each with one row as real part and another as imaginary part.
import { transform4 } from "./fft";

/** Address of row `row`. Beyond the last row it is a spare row of zeros, because two rows share a transform. */
function rowAt(base: usize, rowBytes: u32, row: u32, rows: u32, spare: usize): usize {
  return row < rows ? base + row * rowBytes : spare;
}

/** Transposes 4 × 4 numbers: rows at the addresses become columns, 32 bytes apart. */
function loadColumns(r0: usize, r1: usize, r2: usize, r3: usize, to: usize): void {
  const a = v128.load(r0);
  const b = v128.load(r1);
  const c = v128.load(r2);
  const d = v128.load(r3);
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
  v128.store(to, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7), 32);
  v128.store(to, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5), 64);
  v128.store(to, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7), 96);
}

/** The inverse of {@link loadColumns}. */
function storeRows(a: v128, b: v128, c: v128, d: v128, r0: usize, r1: usize, r2: usize, r3: usize): void {
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(r0, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
  v128.store(r1, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7));
  v128.store(r2, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5));
  v128.store(r3, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7));
}

/** As {@link storeRows}, for the first two numbers of each row only. */
function storePairs(re: v128, im: v128, r0: usize, r1: usize, r2: usize, r3: usize): void {
  const low = v128.shuffle<f32>(re, im, 0, 4, 1, 5);
  const high = v128.shuffle<f32>(re, im, 2, 6, 3, 7);
  v128.store_lane<f64>(r0, low, 0);
  v128.store_lane<f64>(r1, low, 1);
  v128.store_lane<f64>(r2, high, 0);
  v128.store_lane<f64>(r3, high, 1);
}

/**
 * Transforms of rows. Phases are those of a field whose origin is sample n/2: every odd complex number is negated.
 *
 * @param n - numbers of a row, even
 * @param rowBytes - bytes between rows, at least 4·(n + 2)
 * @param a - a buffer of n + 4 points (fft.ts), as `b`
 * @param spare - a buffer for a row and two numbers more
 */
export function rowsForward(
  plan: usize,
  base: usize,
  n: u32,
  rows: u32,
  rowBytes: u32,
  a: usize,
  b: usize,
  spare: usize,
): void {
  memory.fill(spare, 0, 4 * (n + 4));
  for (let row: u32 = 0; row < rows; row += 8) {
    const r0 = rowAt(base, rowBytes, row, rows, spare);
    const r1 = rowAt(base, rowBytes, row + 1, rows, spare);
    const r2 = rowAt(base, rowBytes, row + 2, rows, spare);
    const r3 = rowAt(base, rowBytes, row + 3, rows, spare);
    const r4 = rowAt(base, rowBytes, row + 4, rows, spare);
    const r5 = rowAt(base, rowBytes, row + 5, rows, spare);
    const r6 = rowAt(base, rowBytes, row + 6, rows, spare);
    const r7 = rowAt(base, rowBytes, row + 7, rows, spare);
    // With n = 4j + 2 the last round also reads the two spare numbers of each row, into points that are never used.
    for (let x: u32 = 0; x < n; x += 4) {
      loadColumns(r0 + 4 * x, r1 + 4 * x, r2 + 4 * x, r3 + 4 * x, a + 32 * x);
      loadColumns(r4 + 4 * x, r5 + 4 * x, r6 + 4 * x, r7 + 4 * x, a + 32 * x + 16);
    }
    const from = transform4(plan, a, b);
    const positive = f32x4.splat(0.5);
    const negative = f32x4.splat(-0.5);
    for (let k: u32 = 0; k <= n / 2; k += 2) {
      const at = from + 32 * k;
      const mirror = from + 32 * (k == 0 ? 0 : n - k);
      const re = v128.load(at);
      const im = v128.load(at, 16);
      const mre = v128.load(mirror);
      const mim = v128.load(mirror, 16);
      const are = f32x4.mul(f32x4.add(re, mre), positive);
      const aim = f32x4.mul(f32x4.sub(im, mim), positive);
      const bre = f32x4.mul(f32x4.add(im, mim), positive);
      const bim = f32x4.mul(f32x4.sub(mre, re), positive);
      const to = 8 * k;
      if (k == n / 2) {
        storePairs(are, aim, r0 + to, r1 + to, r2 + to, r3 + to);
        storePairs(bre, bim, r4 + to, r5 + to, r6 + to, r7 + to);
        break;
      }
      const next = from + 32 * (n - k - 1);
      const re1 = v128.load(at, 32);
      const im1 = v128.load(at, 48);
      const mre1 = v128.load(next);
      const mim1 = v128.load(next, 16);
      const are1 = f32x4.mul(f32x4.add(re1, mre1), negative);
      const aim1 = f32x4.mul(f32x4.sub(im1, mim1), negative);
      const bre1 = f32x4.mul(f32x4.add(im1, mim1), negative);
      const bim1 = f32x4.mul(f32x4.sub(mre1, re1), negative);
      storeRows(are, aim, are1, aim1, r0 + to, r1 + to, r2 + to, r3 + to);
      storeRows(bre, bim, bre1, bim1, r4 + to, r5 + to, r6 + to, r7 + to);
    }
  }
}

/** The inverse of {@link rowsForward}, times n·`scale`. The two numbers behind each row are left undefined. */
export function rowsInverse(
  plan: usize,
  base: usize,
  n: u32,
  rows: u32,
  rowBytes: u32,
  scale: f32,
  a: usize,
  b: usize,
  spare: usize,
): void {
  memory.fill(spare, 0, 4 * (n + 4));
  for (let row: u32 = 0; row < rows; row += 8) {
    const r0 = rowAt(base, rowBytes, row, rows, spare);
    const r1 = rowAt(base, rowBytes, row + 1, rows, spare);
    const r2 = rowAt(base, rowBytes, row + 2, rows, spare);
    const r3 = rowAt(base, rowBytes, row + 3, rows, spare);
    const r4 = rowAt(base, rowBytes, row + 4, rows, spare);
    const r5 = rowAt(base, rowBytes, row + 5, rows, spare);
    const r6 = rowAt(base, rowBytes, row + 6, rows, spare);
    const r7 = rowAt(base, rowBytes, row + 7, rows, spare);
    // Two complex numbers of each row at a time are transposed through b. With n = 4j the second of the last two is beyond the
    // row and never used.
    for (let k: u32 = 0; k <= n / 2; k += 2) {
      loadColumns(r0 + 8 * k, r1 + 8 * k, r2 + 8 * k, r3 + 8 * k, b);
      loadColumns(r4 + 8 * k, r5 + 8 * k, r6 + 8 * k, r7 + 8 * k, b + 16);
      joinRows(b, a, k, n, f32x4.splat(scale));
      if (k < n / 2) joinRows(b + 64, a, k + 1, n, f32x4.splat(-scale));
    }
    const from = transform4(plan, a, b);
    for (let x: u32 = 0; x < n; x += 4) {
      const at = from + 32 * x;
      const to = 4 * x;
      const count = n - x;
      // Real and imaginary parts are exchanged, which makes the forward transform the inverse.
      storePart(at + 16, count, r0 + to, r1 + to, r2 + to, r3 + to);
      storePart(at, count, r4 + to, r5 + to, r6 + to, r7 + to);
    }
  }
}

/** Writes the points of frequencies k and −k of rows a and b joined as a + ib, with real and imaginary parts exchanged. */
function joinRows(from: usize, a: usize, k: u32, n: u32, sign: v128): void {
  const are = f32x4.mul(v128.load(from), sign);
  const bre = f32x4.mul(v128.load(from, 16), sign);
  const to = a + 32 * k;
  if (k == 0 || k == n / 2) {
    // In the transform of a real row these imaginary parts are zero; the stored ones are rounding errors.
    v128.store(to, bre);
    v128.store(to, are, 16);
    return;
  }
  const aim = f32x4.mul(v128.load(from, 32), sign);
  const bim = f32x4.mul(v128.load(from, 48), sign);
  v128.store(to, f32x4.add(aim, bre));
  v128.store(to, f32x4.sub(are, bim), 16);
  const mirror = a + 32 * (n - k);
  v128.store(mirror, f32x4.sub(bre, aim));
  v128.store(mirror, f32x4.add(are, bim), 16);
}

function storePart(at: usize, count: u32, r0: usize, r1: usize, r2: usize, r3: usize): void {
  const a = v128.load(at);
  const b = v128.load(at, 32);
  if (count < 4) storePairs(a, b, r0, r1, r2, r3);
  else storeRows(a, b, v128.load(at, 64), v128.load(at, 96), r0, r1, r2, r3);
}
