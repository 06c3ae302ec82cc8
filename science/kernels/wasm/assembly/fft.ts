// Four complex transforms of one length at once, one in each lane: Stockham's self-sorting algorithm, decimation in
// frequency, radix 4, 2 and any odd prime. A point is four real parts, then four imaginary ones: 32 bytes.

/** Bytes of one point of four transforms. */
export const pointBytes: u32 = 32;

/**
 * Forward transforms, unscaled. The inverse is the forward transform with real and imaginary parts exchanged in input and
 * output.
 *
 * A plan is: points, stages, scratch address, 0; then for each stage its radix, butterflies, stride and table.
 *
 * @param a - the points; overwritten
 * @param b - a buffer of the same size
 * @returns address of the result: `a` or `b`
 */
export function transform4(plan: usize, a: usize, b: usize): usize {
  return runStages(plan, load<i32>(plan, 4), a, b);
}

/** Runs the first `count` stages of a plan. */
export function runStages(plan: usize, count: i32, a: usize, b: usize): usize {
  let from = a;
  let to = b;
  for (let i = 0; i < count; i++) {
    const stage = plan + 16 * <usize>(i + 1);
    const radix = load<u32>(stage);
    const butterflies = load<u32>(stage, 4);
    const stride = load<u32>(stage, 8);
    const table = <usize>load<u32>(stage, 12);
    if (radix == 4) radix4(butterflies, stride, table, from, to);
    else if (radix == 2) radix2(butterflies, stride, table, from, to);
    else oddRadix(radix, butterflies, stride, table, <usize>load<u32>(plan, 8), from, to);
    const next = from;
    from = to;
    to = next;
  }
  return from;
}

function radix4(butterflies: u32, stride: u32, table: usize, from: usize, to: usize): void {
  const near = stride * pointBytes;
  const far = near * butterflies;
  let x = from;
  let y = to;
  // The first butterfly's factors are 1; the last stage has no other butterfly.
  for (const end = x + near; x < end; x += pointBytes, y += pointBytes) {
    const far2 = x + 2 * far;
    const far3 = x + 3 * far;
    const are = v128.load(x);
    const aim = v128.load(x, 16);
    const bre = v128.load(x + far);
    const bim = v128.load(x + far, 16);
    const cre = v128.load(far2);
    const cim = v128.load(far2, 16);
    const dre = v128.load(far3);
    const dim = v128.load(far3, 16);
    const acre = f32x4.add(are, cre);
    const acim = f32x4.add(aim, cim);
    const bdre = f32x4.add(bre, dre);
    const bdim = f32x4.add(bim, dim);
    const ecre = f32x4.sub(are, cre);
    const ecim = f32x4.sub(aim, cim);
    const fdre = f32x4.sub(bre, dre);
    const fdim = f32x4.sub(bim, dim);
    v128.store(y, f32x4.add(acre, bdre));
    v128.store(y, f32x4.add(acim, bdim), 16);
    v128.store(y + near, f32x4.add(ecre, fdim));
    v128.store(y + near, f32x4.sub(ecim, fdre), 16);
    v128.store(y + 2 * near, f32x4.sub(acre, bdre));
    v128.store(y + 2 * near, f32x4.sub(acim, bdim), 16);
    v128.store(y + 3 * near, f32x4.sub(ecre, fdim));
    v128.store(y + 3 * near, f32x4.add(ecim, fdre), 16);
  }
  let factors = table;
  for (let p: u32 = 1; p < butterflies; p++) {
    y += 3 * near;
    factors += 24;
    const w1re = v128.load_splat<f32>(factors);
    const w1im = v128.load_splat<f32>(factors, 4);
    const w2re = v128.load_splat<f32>(factors, 8);
    const w2im = v128.load_splat<f32>(factors, 12);
    const w3re = v128.load_splat<f32>(factors, 16);
    const w3im = v128.load_splat<f32>(factors, 20);
    for (const end = x + near; x < end; x += pointBytes, y += pointBytes) {
      const far2 = x + 2 * far;
      const far3 = x + 3 * far;
      const are = v128.load(x);
      const aim = v128.load(x, 16);
      const bre = v128.load(x + far);
      const bim = v128.load(x + far, 16);
      const cre = v128.load(far2);
      const cim = v128.load(far2, 16);
      const dre = v128.load(far3);
      const dim = v128.load(far3, 16);
      const acre = f32x4.add(are, cre);
      const acim = f32x4.add(aim, cim);
      const bdre = f32x4.add(bre, dre);
      const bdim = f32x4.add(bim, dim);
      v128.store(y, f32x4.add(acre, bdre));
      v128.store(y, f32x4.add(acim, bdim), 16);
      const sre = f32x4.sub(acre, bdre);
      const sim = f32x4.sub(acim, bdim);
      v128.store(y + 2 * near, f32x4.sub(f32x4.mul(sre, w2re), f32x4.mul(sim, w2im)));
      v128.store(y + 2 * near, f32x4.add(f32x4.mul(sre, w2im), f32x4.mul(sim, w2re)), 16);
      const ecre = f32x4.sub(are, cre);
      const ecim = f32x4.sub(aim, cim);
      const fdre = f32x4.sub(bre, dre);
      const fdim = f32x4.sub(bim, dim);
      const tre = f32x4.add(ecre, fdim);
      const tim = f32x4.sub(ecim, fdre);
      v128.store(y + near, f32x4.sub(f32x4.mul(tre, w1re), f32x4.mul(tim, w1im)));
      v128.store(y + near, f32x4.add(f32x4.mul(tre, w1im), f32x4.mul(tim, w1re)), 16);
      const ure = f32x4.sub(ecre, fdim);
      const uim = f32x4.add(ecim, fdre);
      v128.store(y + 3 * near, f32x4.sub(f32x4.mul(ure, w3re), f32x4.mul(uim, w3im)));
      v128.store(y + 3 * near, f32x4.add(f32x4.mul(ure, w3im), f32x4.mul(uim, w3re)), 16);
    }
  }
}

function radix2(butterflies: u32, stride: u32, table: usize, from: usize, to: usize): void {
  const near = stride * pointBytes;
  const far = near * butterflies;
  let x = from;
  let y = to;
  for (let p: u32 = 0; p < butterflies; p++) {
    const wre = v128.load_splat<f32>(table + 8 * p);
    const wim = v128.load_splat<f32>(table + 8 * p, 4);
    for (const end = x + near; x < end; x += pointBytes, y += pointBytes) {
      const are = v128.load(x);
      const aim = v128.load(x, 16);
      const bre = v128.load(x + far);
      const bim = v128.load(x + far, 16);
      v128.store(y, f32x4.add(are, bre));
      v128.store(y, f32x4.add(aim, bim), 16);
      const dre = f32x4.sub(are, bre);
      const dim = f32x4.sub(aim, bim);
      v128.store(y + near, f32x4.sub(f32x4.mul(dre, wre), f32x4.mul(dim, wim)));
      v128.store(y + near, f32x4.add(f32x4.mul(dre, wim), f32x4.mul(dim, wre)), 16);
    }
    y += near;
  }
}

/**
 * Butterflies of an odd prime radix by their definition; pairing j with radix − j halves the cost. The table has the factors,
 * then for each pair of output k and input j = 1 … (radix − 1)/2 the cosine and sine of 2π·jk/radix.
 */
function oddRadix(
  radix: u32,
  butterflies: u32,
  stride: u32,
  table: usize,
  scratch: usize,
  from: usize,
  to: usize,
): void {
  const near = stride * pointBytes;
  const far = near * butterflies;
  const half = (radix - 1) / 2;
  const roots = table + 8 * (radix - 1) * butterflies;
  let x = from;
  let y = to;
  for (let p: u32 = 0; p < butterflies; p++) {
    const factors = table + 8 * (radix - 1) * p;
    for (const end = x + near; x < end; x += pointBytes, y += pointBytes) {
      const are = v128.load(x);
      const aim = v128.load(x, 16);
      let sumRe = are;
      let sumIm = aim;
      for (let j: u32 = 1; j <= half; j++) {
        const low = x + j * far;
        const high = x + (radix - j) * far;
        const lre = v128.load(low);
        const lim = v128.load(low, 16);
        const hre = v128.load(high);
        const him = v128.load(high, 16);
        const even = scratch + 64 * (j - 1);
        const re = f32x4.add(lre, hre);
        const im = f32x4.add(lim, him);
        sumRe = f32x4.add(sumRe, re);
        sumIm = f32x4.add(sumIm, im);
        v128.store(even, re);
        v128.store(even, im, 16);
        v128.store(even, f32x4.sub(lre, hre), 32);
        v128.store(even, f32x4.sub(lim, him), 48);
      }
      v128.store(y, sumRe);
      v128.store(y, sumIm, 16);
      for (let k: u32 = 1; k <= half; k++) {
        let cre = are;
        let cim = aim;
        let sre = f32x4.splat(0);
        let sim = f32x4.splat(0);
        for (let j: u32 = 0; j < half; j++) {
          const root = roots + 8 * ((k - 1) * half + j);
          const cos = v128.load_splat<f32>(root);
          const sin = v128.load_splat<f32>(root, 4);
          const pair = scratch + 64 * j;
          cre = f32x4.add(cre, f32x4.mul(cos, v128.load(pair)));
          cim = f32x4.add(cim, f32x4.mul(cos, v128.load(pair, 16)));
          sre = f32x4.add(sre, f32x4.mul(sin, v128.load(pair, 32)));
          sim = f32x4.add(sim, f32x4.mul(sin, v128.load(pair, 48)));
        }
        // exp(−iφ)·u = u·cos φ − i·u·sin φ; the paired output has the opposite angle.
        turned(y + k * near, factors + 8 * (k - 1), f32x4.add(cre, sim), f32x4.sub(cim, sre));
        turned(
          y + (radix - k) * near,
          factors + 8 * (radix - k - 1),
          f32x4.sub(cre, sim),
          f32x4.add(cim, sre),
        );
      }
    }
    y += (radix - 1) * near;
  }
}

function turned(to: usize, factor: usize, re: v128, im: v128): void {
  const wre = v128.load_splat<f32>(factor);
  const wim = v128.load_splat<f32>(factor, 4);
  v128.store(to, f32x4.sub(f32x4.mul(re, wre), f32x4.mul(im, wim)));
  v128.store(to, f32x4.add(f32x4.mul(re, wim), f32x4.mul(im, wre)), 16);
}
