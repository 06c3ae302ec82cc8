// Insertion of particles into a Fourier volume.
import { wrapped } from "./wrap";

/** Reads a band from a half transform, as re, im pairs in the order of the band. @param offsets - of each sample, bytes */
export function gatherBand(half: usize, offsets: usize, count: u32, to: usize): void {
  for (let i: u32 = 0; i < count; i++)
    store<u64>(to + 8 * i, load<u64>(half + <usize>load<u32>(offsets + 4 * i)));
}

/**
 * Multiplies a band by exp(i·(u·x + v·y)).
 *
 * @param indices - offsets of each sample's phases in the tables, bytes
 * @param alongX - cosine and sine of u·x for all u; `alongY` of v·y
 */
export function shiftBand(values: usize, indices: usize, count: u32, alongX: usize, alongY: usize): void {
  for (let i: u32 = 0; i < count; i++, values += 8, indices += 8) {
    const x = alongX + <usize>load<u32>(indices);
    const y = alongY + <usize>load<u32>(indices, 4);
    const xc = load<f32>(x);
    const xs = load<f32>(x, 4);
    const yc = load<f32>(y);
    const ys = load<f32>(y, 4);
    const cos = xc * yc - xs * ys;
    const sin = xc * ys + xs * yc;
    const re = load<f32>(values);
    const im = load<f32>(values, 4);
    store<f32>(values, re * cos - im * sin);
    store<f32>(values, re * sin + im * cos, 4);
  }
}

/**
 * Adds a slice, spread over the eight nearest samples.
 *
 * @param volume - (padded/2 + 1)·padded² samples of 16 bytes: weighted sums of re and im, sum of weights, and 0. With 12-byte
 * samples (no 0) a load straddles the stores just before it and waits for them.
 * @param matrix - 32 bytes: the steps along x, y and z (and 0), in samples, of one step along u, then of one along v
 * @param band - u and v of each value, 32-bit numbers
 */
export function insertSlice(
  volume: usize,
  padded: u32,
  matrix: usize,
  band: usize,
  values: usize,
  count: u32,
  weight: f32,
): void {
  const rowBytes = 16 * (padded / 2 + 1);
  const planeBytes = rowBytes * padded;
  const alongU = v128.load(matrix);
  const alongV = v128.load(matrix, 16);
  const one = f32x4.splat(1);
  const plain = f32x4(weight, weight, 0, 0);
  const conjugate = f32x4(weight, -weight, 0, 0);
  const weighed = f32x4(0, 0, weight, 0);
  for (const end = values + 8 * count; values < end; values += 8, band += 8) {
    const u = v128.load_splat<f32>(band);
    const v = v128.load_splat<f32>(band, 4);
    let k = f32x4.add(f32x4.mul(u, alongU), f32x4.mul(v, alongV));
    const opposite = f32x4.extract_lane(k, 0) < 0;
    if (opposite) k = f32x4.neg(k);
    const value = f32x4.add(f32x4.mul(v128.load_zero<f64>(values), opposite ? conjugate : plain), weighed);
    const floor = f32x4.floor(k);
    const f = f32x4.sub(k, floor);
    const g = f32x4.sub(one, f);
    const at = i32x4.trunc_sat_f32x4_s(floor);
    const y = i32x4.extract_lane(at, 1);
    const z = i32x4.extract_lane(at, 2);
    const base = volume + 16 * <u32>i32x4.extract_lane(at, 0);
    const yLow = wrapped(y, padded) * rowBytes;
    const yHigh = wrapped(y + 1, padded) * rowBytes;
    const zLow = base + wrapped(z, padded) * planeBytes;
    const zHigh = base + wrapped(z + 1, padded) * planeBytes;
    const low = f32x4.mul(value, v128.shuffle<f32>(g, g, 0, 0, 0, 0));
    const high = f32x4.mul(value, v128.shuffle<f32>(f, f, 0, 0, 0, 0));
    const fy = v128.shuffle<f32>(f, f, 1, 1, 1, 1);
    const gy = v128.shuffle<f32>(g, g, 1, 1, 1, 1);
    const fz = v128.shuffle<f32>(f, f, 2, 2, 2, 2);
    const gz = v128.shuffle<f32>(g, g, 2, 2, 2, 2);
    addPair(zLow + yLow, low, high, f32x4.mul(gz, gy));
    addPair(zLow + yHigh, low, high, f32x4.mul(gz, fy));
    addPair(zHigh + yLow, low, high, f32x4.mul(fz, gy));
    addPair(zHigh + yHigh, low, high, f32x4.mul(fz, fy));
  }
}

function addPair(at: usize, low: v128, high: v128, weight: v128): void {
  v128.store(at, f32x4.add(v128.load(at), f32x4.mul(low, weight)));
  v128.store(at, f32x4.add(v128.load(at, 16), f32x4.mul(high, weight)), 16);
}
