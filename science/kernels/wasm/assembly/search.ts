// The search over all in-plane rotations: sums over rings, an inverse transform, the highest correlation.
import { runStages } from "./fft";

/**
 * Finds the best spectrum and angle for each of `count` references.
 *
 * Spectra are stored in groups of eight: for each ring of a harmonic the real parts of four, their imaginary parts, and the
 * same of the other four. The two fours are the real and the imaginary part of one transform.
 *
 * @param plan - of the angles, a power of two, at least 8
 * @param firstRing - for each harmonic the offset of its first ring, in rings
 * @param to - for each reference: its score (f32), angle and spectrum (i32), and 0
 */
export function matchReferences(
  plan: usize,
  spectra: usize,
  groups: u32,
  references: usize,
  count: u32,
  firstRing: usize,
  rings: u32,
  harmonics: u32,
  to: usize,
  a: usize,
  b: usize,
): void {
  const angles = load<u32>(plan);
  const stages = load<i32>(plan, 4);
  const spectrum = 8 * rings * (harmonics + 1);
  for (let i: u32 = 0; i < count; i++, to += 16) {
    let best: f32 = -Infinity;
    let bestAt: u32 = 0;
    let bestSpectrum: u32 = 0;
    for (let group: u32 = 0; group < groups; group++) {
      correlate(
        spectra + 8 * group * spectrum,
        references + i * spectrum,
        firstRing,
        rings,
        harmonics,
        angles,
        a,
      );
      const from = runStages(plan, stages - 1, a, b);
      const highest = lastStage(from, angles);
      if (!(highest > best)) continue;
      best = highest;
      const where = find(from, angles, highest);
      bestAt = where >> 3;
      bestSpectrum = 8 * group + (where & 7);
    }
    store<f32>(to, best);
    store<u32>(to, bestAt, 4);
    store<u32>(to, bestSpectrum, 8);
  }
}

/**
 * Σ over rings of conj(particle)·reference for the eight spectra of a group, as the input of an inverse transform: real and
 * imaginary parts are exchanged.
 */
function correlate(
  group: usize,
  reference: usize,
  firstRing: usize,
  rings: u32,
  harmonics: u32,
  angles: u32,
  to: usize,
): void {
  for (let m: u32 = 0; m <= harmonics; m++) {
    const skip = load<u32>(firstRing + 4 * m);
    let at = reference + 8 * (m * rings + skip);
    const end = reference + 8 * (m + 1) * rings;
    let p = group + 64 * (m * rings + skip);
    let are = f32x4.splat(0);
    let aim = f32x4.splat(0);
    let bre = f32x4.splat(0);
    let bim = f32x4.splat(0);
    for (; at < end; at += 8, p += 64) {
      const re = v128.load_splat<f32>(at);
      const im = v128.load_splat<f32>(at, 4);
      const pre = v128.load(p);
      const pim = v128.load(p, 16);
      are = f32x4.add(are, f32x4.add(f32x4.mul(pre, re), f32x4.mul(pim, im)));
      aim = f32x4.add(aim, f32x4.sub(f32x4.mul(pre, im), f32x4.mul(pim, re)));
      const qre = v128.load(p, 32);
      const qim = v128.load(p, 48);
      bre = f32x4.add(bre, f32x4.add(f32x4.mul(qre, re), f32x4.mul(qim, im)));
      bim = f32x4.add(bim, f32x4.sub(f32x4.mul(qre, im), f32x4.mul(qim, re)));
    }
    if (m == 0) {
      v128.store(to, bre);
      v128.store(to, are, 16);
      continue;
    }
    v128.store(to + 32 * m, f32x4.add(aim, bre));
    v128.store(to + 32 * m, f32x4.sub(are, bim), 16);
    const mirror = to + 32 * (angles - m);
    v128.store(mirror, f32x4.sub(bre, aim));
    v128.store(mirror, f32x4.add(are, bim), 16);
  }
  for (let m = harmonics + 1; m < angles - harmonics; m++) {
    v128.store(to + 32 * m, f32x4.splat(0));
    v128.store(to + 32 * m, f32x4.splat(0), 16);
  }
}

/** Runs the last stage of a plan, radix 4 without factors, in place. @returns the highest number of the result */
function lastStage(x: usize, angles: u32): f32 {
  const far = 8 * angles;
  // As many maxima as the butterfly has results, so that no comparison waits for the one before.
  let m0 = f32x4.splat(-Infinity);
  let m1 = m0;
  let m2 = m0;
  let m3 = m0;
  for (const end = x + far; x < end; x += 32) {
    const x1 = x + far;
    const x2 = x1 + far;
    const x3 = x2 + far;
    const are = v128.load(x);
    const aim = v128.load(x, 16);
    const bre = v128.load(x1);
    const bim = v128.load(x1, 16);
    const cre = v128.load(x2);
    const cim = v128.load(x2, 16);
    const dre = v128.load(x3);
    const dim = v128.load(x3, 16);
    const acre = f32x4.add(are, cre);
    const bdre = f32x4.add(bre, dre);
    const y0re = f32x4.add(acre, bdre);
    const y2re = f32x4.sub(acre, bdre);
    const acim = f32x4.add(aim, cim);
    const bdim = f32x4.add(bim, dim);
    const y0im = f32x4.add(acim, bdim);
    const y2im = f32x4.sub(acim, bdim);
    const ecre = f32x4.sub(are, cre);
    const fdim = f32x4.sub(bim, dim);
    const y1re = f32x4.add(ecre, fdim);
    const y3re = f32x4.sub(ecre, fdim);
    const ecim = f32x4.sub(aim, cim);
    const fdre = f32x4.sub(bre, dre);
    const y1im = f32x4.sub(ecim, fdre);
    const y3im = f32x4.add(ecim, fdre);
    v128.store(x, y0re);
    v128.store(x, y0im, 16);
    v128.store(x1, y1re);
    v128.store(x1, y1im, 16);
    v128.store(x2, y2re);
    v128.store(x2, y2im, 16);
    v128.store(x3, y3re);
    v128.store(x3, y3im, 16);
    m0 = f32x4.pmax(f32x4.pmax(m0, y0re), y0im);
    m1 = f32x4.pmax(f32x4.pmax(m1, y1re), y1im);
    m2 = f32x4.pmax(f32x4.pmax(m2, y2re), y2im);
    m3 = f32x4.pmax(f32x4.pmax(m3, y3re), y3im);
  }
  const m = f32x4.pmax(f32x4.pmax(m0, m1), f32x4.pmax(m2, m3));
  const pair = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(pair, v128.shuffle<f32>(pair, pair, 1, 0, 3, 2)), 0);
}

/**
 * The first place of a number: eight times its angle, plus its spectrum. The search is rare, because most groups do not beat
 * the groups before.
 */
function find(x: usize, angles: u32, value: f32): u32 {
  const wanted = f32x4.splat(value);
  for (let j: u32 = 0; j < angles; j++, x += 32) {
    // Spectra 0 to 3 are in the imaginary parts.
    const low = i32x4.bitmask(f32x4.eq(v128.load(x, 16), wanted));
    const high = i32x4.bitmask(f32x4.eq(v128.load(x), wanted));
    const mask = low | (high << 4);
    if (mask) return 8 * j + ctz(mask);
  }
  return 0;
}
