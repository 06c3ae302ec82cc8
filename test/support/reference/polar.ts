import type { PolarGrid } from "../../../science/kernels/math/polar.ts";
import { fft } from "./fft.ts";

/** Numbers of the sampled half rings of one image: re, im at every angle of half a ring, ring after ring. */
export function polarLength(grid: PolarGrid): number {
  return grid.rings * grid.angles;
}

/**
 * Samples the rings from the half transform of a padded image, bilinearly.
 *
 * @param half - centred half transform of the image padded to `padded` pixels and corrected for the interpolation
 */
export function samplePolar(half: Float32Array, padded: number, grid: PolarGrid, out: Float64Array): void {
  const scale = padded / grid.box;
  const rowLength = padded + 2;
  let to = 0;
  for (let ring = grid.minRing; ring <= grid.maxRing; ring++) {
    for (let i = 0; i < grid.angles / 2; i++) {
      let x = scale * ring * grid.cos[i]!;
      let y = scale * ring * grid.sin[i]!;
      const sign = x < 0 ? -1 : 1;
      x *= sign;
      y *= sign;
      const x0 = Math.floor(x);
      const y0 = Math.floor(y);
      const fx = x - x0;
      const fy = y - y0;
      const low = ((y0 + padded) % padded) * rowLength + 2 * x0;
      const high = ((y0 + 1 + padded) % padded) * rowLength + 2 * x0;
      out[to++] =
        (1 - fy) * ((1 - fx) * half[low]! + fx * half[low + 2]!) +
        fy * ((1 - fx) * half[high]! + fx * half[high + 2]!);
      out[to++] =
        sign *
        ((1 - fy) * ((1 - fx) * half[low + 1]! + fx * half[low + 3]!) +
          fy * ((1 - fx) * half[high + 1]! + fx * half[high + 3]!));
    }
  }
}

/** Phases `exp(−2πi·k·o/box)` that move an image by `o` pixels, on the samples of {@link samplePolar}. */
export function polarShift(grid: PolarGrid, x: number, y: number): Float64Array {
  const phases = new Float64Array(polarLength(grid));
  let to = 0;
  for (let ring = grid.minRing; ring <= grid.maxRing; ring++) {
    for (let i = 0; i < grid.angles / 2; i++) {
      const angle = (-2 * Math.PI * ring * (grid.cos[i]! * x + grid.sin[i]! * y)) / grid.box;
      phases[to++] = Math.cos(angle);
      phases[to++] = Math.sin(angle);
    }
  }
  return phases;
}

/**
 * Angular spectrum of every ring of (shifted) polar samples, laid out harmonic by harmonic so that a correlation walks
 * through memory in order.
 *
 * @param samples - of {@link samplePolar}
 * @param phases - of {@link polarShift}, or undefined for no shift
 */
export function ringSpectra(
  samples: Float64Array,
  phases: Float64Array | undefined,
  grid: PolarGrid,
  out: Float64Array,
): void {
  const { angles, rings, harmonics } = grid;
  const plan = fft(angles);
  const data = ringScratch(angles, 0);
  const spectrum = ringScratch(angles, 1);
  // Two real rings make one complex transform; the last of an odd number of rings has its own.
  for (let ring = 0; ring < rings; ring += 2) {
    const pair = ring + 1 < rings;
    hartleyRing(samples, phases, ring, angles, data, 0);
    if (pair) hartleyRing(samples, phases, ring + 1, angles, data, 1);
    else for (let i = 1; i < 2 * angles; i += 2) data[i] = 0;
    plan.forward(spectrum, data);
    for (let m = 0; m <= harmonics; m++) {
      const mirror = m === 0 ? 0 : angles - m;
      const re = spectrum[2 * m]!;
      const im = spectrum[2 * m + 1]!;
      const mirrorRe = spectrum[2 * mirror]!;
      const mirrorIm = spectrum[2 * mirror + 1]!;
      const to = 2 * (m * rings + ring);
      out[to] = (re + mirrorRe) / 2;
      out[to + 1] = (im - mirrorIm) / 2;
      if (!pair) continue;
      out[to + 2] = (im + mirrorIm) / 2;
      out[to + 3] = (mirrorRe - re) / 2;
    }
  }
}

const scratch = new Map<number, Float64Array>();

function ringScratch(angles: number, which: number): Float64Array {
  const key = 2 * angles + which;
  let array = scratch.get(key);
  if (!array) scratch.set(key, (array = new Float64Array(2 * angles)));
  return array;
}

/** Writes `Re F + Im F` of a whole ring into every second number of `data`, beginning at `offset`. */
function hartleyRing(
  samples: Float64Array,
  phases: Float64Array | undefined,
  ring: number,
  angles: number,
  data: Float64Array,
  offset: 0 | 1,
): void {
  const from = ring * angles;
  for (let i = 0; i < angles; i += 2) {
    let re = samples[from + i]!;
    let im = samples[from + i + 1]!;
    if (phases) {
      const cos = phases[from + i]!;
      const sin = phases[from + i + 1]!;
      const shifted = re * cos - im * sin;
      im = re * sin + im * cos;
      re = shifted;
    }
    data[i + offset] = re + im;
    data[i + angles + offset] = re - im;
  }
}

/** Σ over rings of r·|spectrum|²: the power of an image in the band, up to a constant of the grid. */
export function weightedPower(spectrum: Float64Array, grid: PolarGrid): number {
  const { rings, harmonics, minRing } = grid;
  let power = 0;
  for (let m = 0; m <= harmonics; m++) {
    for (let ring = 0; ring < rings; ring++) {
      const at = 2 * (m * rings + ring);
      // Harmonics above 0 also stand for their negative partners.
      power += (m === 0 ? 1 : 2) * (minRing + ring) * (spectrum[at]! ** 2 + spectrum[at + 1]! ** 2);
    }
  }
  return power;
}

/** Multiplies every ring by its radius, which is proportional to the ring's area, and by `scale`. */
export function weightRings(spectrum: Float64Array, grid: PolarGrid, scale: number): void {
  const { rings, minRing } = grid;
  for (let at = 0; at < spectrum.length; at++) spectrum[at]! *= scale * (minRing + ((at >> 1) % rings));
}

/**
 * Angular spectrum of the correlation of two images over in-plane rotation: `Σ_r conj(particle)·reference`, with the reference
 * weighted by {@link weightRings}. Written to `out` as re, im of harmonics 0 … harmonics.
 *
 * The inner loop of the search: four multiplications for every ring and harmonic below the band limit.
 */
export function correlateRings(
  particle: Float64Array,
  reference: Float64Array,
  grid: PolarGrid,
  out: Float64Array,
): void {
  const { rings, harmonics, firstRing } = grid;
  for (let m = 0; m <= harmonics; m++) {
    let re = 0;
    let im = 0;
    const end = 2 * (m + 1) * rings;
    for (let at = 2 * (m * rings + firstRing[m]!); at < end; at += 2) {
      const a = particle[at]!;
      const b = particle[at + 1]!;
      const c = reference[at]!;
      const d = reference[at + 1]!;
      re += a * c + b * d;
      im += a * d - b * c;
    }
    out[2 * m] = re;
    out[2 * m + 1] = im;
  }
}
