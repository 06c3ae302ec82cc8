// Rings of an image's transform, and their angular spectra for four shifts at once.
import { transform4 } from "./fft";

/**
 * Bilinear samples of a half transform. The table has for each sample, in 32 bytes, the offsets of the row below and the row
 * above, the four weights, and the sign of the imaginary part.
 *
 * @param to - re, im pairs
 */
export function samplePolar(half: usize, table: usize, count: u32, to: usize): void {
  for (let i: u32 = 0; i < count; i++, table += 32, to += 8) {
    const below = v128.load(half + <usize>load<u32>(table));
    const above = v128.load(half + <usize>load<u32>(table, 4));
    const weights = v128.load(table, 8);
    const sum = f32x4.add(
      f32x4.mul(below, v128.shuffle<f32>(weights, weights, 0, 0, 1, 1)),
      f32x4.mul(above, v128.shuffle<f32>(weights, weights, 2, 2, 3, 3)),
    );
    const folded = f32x4.add(sum, v128.shuffle<f32>(sum, sum, 2, 3, 0, 1));
    v128.store_lane<f64>(to, f32x4.mul(folded, v128.load_zero<f64>(table, 24)), 0);
  }
}

/**
 * Angular spectra of the rings of four shifted images, of their Hartley transforms: Re F + Im F of a ring is real, and two
 * rings are transformed as one complex ring.
 *
 * @param samples - half rings, re, im pairs: `angles`/2 a ring
 * @param phases - for each sample the cosines, then the sines of four shifts
 * @param hand - four numbers: −1 for a mirror image, otherwise 1
 * @param to - harmonic by harmonic, 64 bytes a ring: real and imaginary parts of four spectra, and room for four more
 */
export function ringSpectra(
  plan: usize,
  samples: usize,
  phases: usize,
  hand: usize,
  rings: u32,
  harmonics: u32,
  to: usize,
  a: usize,
  b: usize,
): void {
  const angles = load<u32>(plan);
  const half = v128.splat<f32>(0.5);
  // The rings of a mirror image run backwards from the opposite end, h′(θ) = h(π − θ): spectra are conjugated, and odd
  // harmonics negated.
  const hands = f32x4.mul(v128.load(hand), half);
  for (let ring: u32 = 0; ring < rings; ring += 2) {
    const offset = ring * angles;
    hartleyRing(samples + 4 * offset, phases + 16 * offset, angles, a);
    if (ring + 1 < rings)
      hartleyRing(samples + 4 * (offset + angles), phases + 16 * (offset + angles), angles, a + 16);
    else for (let i: u32 = 0; i < angles; i++) v128.store(a + 32 * i, f32x4.splat(0), 16);
    const from = transform4(plan, a, b);
    for (let m: u32 = 0; m <= harmonics; m++) {
      const at = from + 32 * m;
      const mirror = from + 32 * (m == 0 ? 0 : angles - m);
      const re = v128.load(at);
      const im = v128.load(at, 16);
      const mre = v128.load(mirror);
      const mim = v128.load(mirror, 16);
      const realHand = m & 1 ? hands : half;
      const imaginaryHand = m & 1 ? half : hands;
      const out = to + 64 * (m * rings + ring);
      v128.store(out, f32x4.mul(f32x4.add(re, mre), realHand));
      v128.store(out, f32x4.mul(f32x4.sub(im, mim), imaginaryHand), 16);
      if (ring + 1 == rings) continue;
      v128.store(out, f32x4.mul(f32x4.add(im, mim), realHand), 64);
      v128.store(out, f32x4.mul(f32x4.sub(mre, re), imaginaryHand), 80);
    }
  }
}

/** Writes a whole ring from its sampled half, into every second vector. */
function hartleyRing(samples: usize, phases: usize, angles: u32, to: usize): void {
  const opposite = 16 * angles;
  for (const end = to + opposite; to < end; to += 32, samples += 8, phases += 32) {
    const re = v128.load_splat<f32>(samples);
    const im = v128.load_splat<f32>(samples, 4);
    const cos = v128.load(phases);
    const sin = v128.load(phases, 16);
    const movedRe = f32x4.sub(f32x4.mul(re, cos), f32x4.mul(im, sin));
    const movedIm = f32x4.add(f32x4.mul(re, sin), f32x4.mul(im, cos));
    v128.store(to, f32x4.add(movedRe, movedIm));
    v128.store(to + opposite, f32x4.sub(movedRe, movedIm));
  }
}

/**
 * Makes a reference of the first of four spectra: rings are weighted by their radius, for the area of each, and the spectrum is
 * scaled to unit power.
 *
 * @param to - harmonic by harmonic, re, im of every ring
 */
export function takeReference(spectra: usize, minRing: u32, rings: u32, harmonics: u32, to: usize): void {
  const power = particlePower(spectra, minRing, rings, harmonics);
  const scale = power > 0 ? 1 / Math.sqrt(power) : 1;
  for (let m: u32 = 0; m <= harmonics; m++) {
    for (let ring: u32 = 0; ring < rings; ring++, spectra += 64, to += 8) {
      const weight = <f32>(scale * <f64>(minRing + ring));
      store<f32>(to, load<f32>(spectra) * weight);
      store<f32>(to, load<f32>(spectra, 16) * weight, 4);
    }
  }
}

/** Σ over rings of r·|spectrum|² of the first of four spectra: the power of an image in the band, up to a constant. */
export function particlePower(spectra: usize, minRing: u32, rings: u32, harmonics: u32): f64 {
  let power: f64 = 0;
  for (let m: u32 = 0; m <= harmonics; m++) {
    for (let ring: u32 = 0; ring < rings; ring++, spectra += 64) {
      const re = <f64>load<f32>(spectra);
      const im = <f64>load<f32>(spectra, 16);
      // Harmonics above 0 also stand for their negative partners.
      power += (m == 0 ? 1 : 2) * <f64>(minRing + ring) * (re * re + im * im);
    }
  }
  return power;
}
