// Complex transforms of neighbouring lines of a field, in place, four at once: the columns of an image, or of a cube.
import { transform4 } from "./fft";

/**
 * Transforms of lines. Phases are those of a field whose origin is sample n/2: every odd point is negated.
 *
 * @param base - first point of the first line: a real and an imaginary part
 * @param count - neighbouring lines
 * @param stride - bytes between points of a line
 * @param a - a buffer of n points (fft.ts), as `b`
 */
export function linesForward(plan: usize, base: usize, count: u32, stride: usize, a: usize, b: usize): void {
  const n = load<u32>(plan);
  for (let line: u32 = 0; line < count; line += 4) {
    const first = base + 8 * line;
    const lanes = min<u32>(4, count - line);
    for (let i: u32 = 0, at = first, to = a; i < n; i++, at += stride, to += 32) {
      const low = v128.load(at);
      const high = lanes > 2 ? v128.load(at, 16) : low;
      v128.store(to, v128.shuffle<f32>(low, high, 0, 2, 4, 6));
      v128.store(to, v128.shuffle<f32>(low, high, 1, 3, 5, 7), 16);
    }
    let from = transform4(plan, a, b);
    for (let i: u32 = 0, at = first; i < n; i += 2, at += 2 * stride, from += 64) {
      storeLanes(at, v128.load(from), v128.load(from, 16), lanes);
      storeLanes(at + stride, f32x4.neg(v128.load(from, 32)), f32x4.neg(v128.load(from, 48)), lanes);
    }
  }
}

/** The inverse of {@link linesForward}, times n. */
export function linesInverse(plan: usize, base: usize, count: u32, stride: usize, a: usize, b: usize): void {
  const n = load<u32>(plan);
  const odd = i32x4.splat(0x80000000);
  for (let line: u32 = 0; line < count; line += 4) {
    const first = base + 8 * line;
    const lanes = min<u32>(4, count - line);
    let sign = i32x4.splat(0);
    for (let i: u32 = 0, at = first, to = a; i < n; i++, at += stride, to += 32) {
      const low = v128.xor(v128.load(at), sign);
      const high = lanes > 2 ? v128.xor(v128.load(at, 16), sign) : low;
      // Real and imaginary parts are exchanged here and once more below, which makes the forward transform the inverse.
      v128.store(to, v128.shuffle<f32>(low, high, 1, 3, 5, 7));
      v128.store(to, v128.shuffle<f32>(low, high, 0, 2, 4, 6), 16);
      sign = v128.xor(sign, odd);
    }
    let from = transform4(plan, a, b);
    for (let i: u32 = 0, at = first; i < n; i++, at += stride, from += 32)
      storeLanes(at, v128.load(from, 16), v128.load(from), lanes);
  }
}

function storeLanes(at: usize, re: v128, im: v128, lanes: u32): void {
  const low = v128.shuffle<f32>(re, im, 0, 4, 1, 5);
  const high = v128.shuffle<f32>(re, im, 2, 6, 3, 7);
  if (lanes == 4) {
    v128.store(at, low);
    v128.store(at, high, 16);
    return;
  }
  v128.store_lane<f64>(at, low, 0);
  if (lanes > 1) v128.store_lane<f64>(at, low, 1, 8);
  if (lanes > 2) v128.store_lane<f64>(at, high, 0, 16);
}
