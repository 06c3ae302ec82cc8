// Agreement of a slice with a particle, and its derivatives by the particle's shift.

/** `to` = particle × conj(slice), re, im pairs; `count` is even. */
export function multiplyBand(particle: usize, slice: usize, count: u32, to: usize): void {
  const sign = f32x4(1, -1, 1, -1);
  for (const end = to + 8 * count; to < end; to += 16, particle += 16, slice += 16) {
    const a = v128.load(particle);
    const b = v128.load(slice);
    const re = v128.shuffle<f32>(b, b, 0, 0, 2, 2);
    const im = f32x4.mul(v128.shuffle<f32>(b, b, 1, 1, 3, 3), sign);
    v128.store(to, f32x4.add(f32x4.mul(a, re), f32x4.mul(v128.shuffle<f32>(a, a, 1, 0, 3, 2), im)));
  }
}

/**
 * Value, gradient and Hessian of `Re Σ product·exp(−i·(u·x + v·y))` about a shift.
 *
 * @param band - u and v of each sample; `count` is a multiple of 4 (samples beyond the band have a product of 0)
 * @param indices - offsets of each sample's phases in the tables, bytes
 * @param alongX - cosine and sine of u·x for all u; `alongY` of v·y
 * @param to - six 32-bit numbers: f, fx, fy, fxx, fxy, fyy
 */
export function expandBand(
  band: usize,
  indices: usize,
  product: usize,
  count: u32,
  alongX: usize,
  alongY: usize,
  to: usize,
): void {
  let f = f32x4.splat(0);
  let fx = f;
  let fy = f;
  let fxx = f;
  let fxy = f;
  let fyy = f;
  for (let i: u32 = 0; i < count; i += 4, band += 32, indices += 32, product += 32) {
    const px0 = phases(indices, 0, alongX);
    const px1 = phases(indices, 16, alongX);
    const py0 = phases(indices + 4, 0, alongY);
    const py1 = phases(indices + 4, 16, alongY);
    const xc = v128.shuffle<f32>(px0, px1, 0, 2, 4, 6);
    const xs = v128.shuffle<f32>(px0, px1, 1, 3, 5, 7);
    const yc = v128.shuffle<f32>(py0, py1, 0, 2, 4, 6);
    const ys = v128.shuffle<f32>(py0, py1, 1, 3, 5, 7);
    const cos = f32x4.sub(f32x4.mul(xc, yc), f32x4.mul(xs, ys));
    const sin = f32x4.add(f32x4.mul(xc, ys), f32x4.mul(xs, yc));
    const p0 = v128.load(product);
    const p1 = v128.load(product, 16);
    const pre = v128.shuffle<f32>(p0, p1, 0, 2, 4, 6);
    const pim = v128.shuffle<f32>(p0, p1, 1, 3, 5, 7);
    const re = f32x4.add(f32x4.mul(pre, cos), f32x4.mul(pim, sin));
    const im = f32x4.sub(f32x4.mul(pim, cos), f32x4.mul(pre, sin));
    const k0 = v128.load(band);
    const k1 = v128.load(band, 16);
    const kx = v128.shuffle<f32>(k0, k1, 0, 2, 4, 6);
    const ky = v128.shuffle<f32>(k0, k1, 1, 3, 5, 7);
    const xre = f32x4.mul(kx, re);
    const yre = f32x4.mul(ky, re);
    f = f32x4.add(f, re);
    fx = f32x4.add(fx, f32x4.mul(kx, im));
    fy = f32x4.add(fy, f32x4.mul(ky, im));
    fxx = f32x4.sub(fxx, f32x4.mul(kx, xre));
    fxy = f32x4.sub(fxy, f32x4.mul(kx, yre));
    fyy = f32x4.sub(fyy, f32x4.mul(ky, yre));
  }
  store<f32>(to, sum(f));
  store<f32>(to, sum(fx), 4);
  store<f32>(to, sum(fy), 8);
  store<f32>(to, sum(fxx), 12);
  store<f32>(to, sum(fxy), 16);
  store<f32>(to, sum(fyy), 20);
}

/** The phases of two neighbouring samples: cosine, sine, cosine, sine. */
function phases(indices: usize, offset: usize, table: usize): v128 {
  const first = v128.load_zero<f64>(table + <usize>load<u32>(indices + offset));
  return v128.load_lane<f64>(table + <usize>load<u32>(indices + offset, 8), first, 1);
}

function sum(v: v128): f32 {
  const pair = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.add(pair, v128.shuffle<f32>(pair, pair, 1, 0, 3, 2)), 0);
}
