// Central slices of a padded transform.
import { wrapped } from "./wrap";

/**
 * Takes a slice on the samples of a band, with trilinear interpolation.
 *
 * @param half - centred half transform of `padded`³, even
 * @param matrix - 32 bytes: the steps along x, y and z (and 0), in samples, of one step along u, then of one along v
 * @param band - u and v of each sample, 32-bit numbers
 * @param to - re, im pairs
 * @returns the sum of the values' squares
 */
export function sliceBand(half: usize, padded: u32, matrix: usize, band: usize, count: u32, to: usize): f32 {
  const rowBytes = 4 * (padded + 2);
  const planeBytes = rowBytes * padded;
  const alongU = v128.load(matrix);
  const alongV = v128.load(matrix, 16);
  const zero = f32x4.splat(0);
  const conjugate = f32x4(1, -1, 1, -1);
  const plain = f32x4.splat(1);
  let power = zero;
  for (let i: u32 = 0; i < count; i++, band += 8, to += 8) {
    const u = v128.load_splat<f32>(band);
    const v = v128.load_splat<f32>(band, 4);
    let k = f32x4.add(f32x4.mul(u, alongU), f32x4.mul(v, alongV));
    // The transform has only kx ≥ 0: the other half is the complex conjugate at the opposite frequency.
    const opposite = f32x4.extract_lane(k, 0) < 0;
    if (opposite) k = f32x4.neg(k);
    const floor = f32x4.floor(k);
    const f = f32x4.sub(k, floor);
    const g = f32x4.sub(plain, f);
    const at = i32x4.trunc_sat_f32x4_s(floor);
    const y = i32x4.extract_lane(at, 1);
    const z = i32x4.extract_lane(at, 2);
    const base = half + 8 * <u32>i32x4.extract_lane(at, 0);
    const yLow = wrapped(y, padded) * rowBytes;
    const yHigh = wrapped(y + 1, padded) * rowBytes;
    const zLow = base + wrapped(z, padded) * planeBytes;
    const zHigh = base + wrapped(z + 1, padded) * planeBytes;
    const fy = v128.shuffle<f32>(f, f, 1, 1, 1, 1);
    const gy = v128.shuffle<f32>(g, g, 1, 1, 1, 1);
    const fz = v128.shuffle<f32>(f, f, 2, 2, 2, 2);
    const gz = v128.shuffle<f32>(g, g, 2, 2, 2, 2);
    const near = f32x4.add(f32x4.mul(gy, v128.load(zLow + yLow)), f32x4.mul(fy, v128.load(zLow + yHigh)));
    const far = f32x4.add(f32x4.mul(gy, v128.load(zHigh + yLow)), f32x4.mul(fy, v128.load(zHigh + yHigh)));
    const pair = f32x4.mul(
      f32x4.add(f32x4.mul(gz, near), f32x4.mul(fz, far)),
      v128.shuffle<f32>(g, f, 0, 0, 4, 4),
    );
    let value = f32x4.add(pair, v128.shuffle<f32>(pair, pair, 2, 3, 2, 3));
    if (opposite) value = f32x4.mul(value, conjugate);
    v128.store_lane<f64>(to, value, 0);
    power = f32x4.add(power, f32x4.mul(value, value));
  }
  return f32x4.extract_lane(power, 0) + f32x4.extract_lane(power, 1);
}
