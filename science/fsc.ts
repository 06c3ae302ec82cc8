import { forward3, halfLength3 } from "./kernels/math/fft-real.ts";
import { forEachFrequency } from "./fourier-filter.ts";
import type { Volume } from "./volume.ts";

/** A Fourier shell correlation curve; shell i lies at i cycles per box. */
export interface FscCurve {
  /** Correlation of each shell, from shell 0 (which is 1) to the last below Nyquist. */
  readonly values: readonly number[];
  /** Length of the box, Å. */
  readonly boxLength: number;
}

/**
 * Correlation of two maps shell by shell (Harauz & van Heel, Optik 73 (1986) 146).
 * @throws RangeError when the maps differ in size
 */
export function fourierShellCorrelation(a: Volume, b: Volume): FscCurve {
  if (a.size !== b.size) throw new RangeError(`maps of ${a.size} and ${b.size} voxels cannot be compared`);
  const { size } = a;
  const transformA = new Float32Array(halfLength3(size));
  const transformB = new Float32Array(halfLength3(size));
  forward3(a.data, size, transformA);
  forward3(b.data, size, transformB);
  const shells = size / 2;
  const cross = new Float64Array(shells);
  const powerA = new Float64Array(shells);
  const powerB = new Float64Array(shells);
  forEachFrequency(size, (index, radius, kx) => {
    const shell = Math.round(radius);
    if (shell >= shells) return;
    // Every number off the plane kx = 0 also stands for its Hermitian partner.
    const weight = kx === 0 ? 1 : 2;
    const [re, im] = [transformA[2 * index]!, transformA[2 * index + 1]!];
    const [otherRe, otherIm] = [transformB[2 * index]!, transformB[2 * index + 1]!];
    cross[shell]! += weight * (re * otherRe + im * otherIm);
    powerA[shell]! += weight * (re * re + im * im);
    powerB[shell]! += weight * (otherRe * otherRe + otherIm * otherIm);
  });
  const values = Array.from(cross, (value, shell) =>
    shell === 0 ? 1 : value / (Math.sqrt(powerA[shell]! * powerB[shell]!) || 1),
  );
  return { values, boxLength: size * a.pixelSize };
}

/**
 * The resolution in Å at which a curve first falls below a threshold, interpolated between shells; the last shell when the
 * curve stays above.
 */
export function resolutionAt({ values, boxLength }: FscCurve, threshold: number): number {
  for (let shell = 1; shell < values.length; shell++) {
    if (values[shell]! >= threshold) continue;
    const before = values[shell - 1]!;
    const part = (before - threshold) / (before - values[shell]!);
    return boxLength / (shell - 1 + part);
  }
  return boxLength / (values.length - 1);
}

/** A curve's value at a frequency (1/Å), interpolated; 0 beyond its end. */
export function fscAt({ values, boxLength }: FscCurve, frequency: number): number {
  const position = frequency * boxLength;
  const shell = Math.floor(position);
  const [low, high] = [values[shell] ?? 0, values[shell + 1] ?? 0];
  return low + (high - low) * (position - shell);
}

/**
 * The figure of merit of a map whose data has this half-map correlation: √(2·FSC/(1+FSC)) (Rosenthal & Henderson, J. Mol. Biol.
 * 333 (2003) 721), zero beyond the first shell below 0.143.
 */
export function figureOfMerit(curve: FscCurve): (frequency: number) => number {
  const last = 1 / resolutionAt(curve, 0.143);
  return (frequency) => {
    if (frequency > last) return 0;
    const fsc = Math.max(0, fscAt(curve, frequency));
    return Math.sqrt((2 * fsc) / (1 + fsc));
  };
}

/** The filter for a reference with this half-map correlation: signal ÷ (signal + noise) of its own amplitudes. */
export function wienerFilter(curve: FscCurve): (frequency: number) => number {
  const merit = figureOfMerit(curve);
  return (frequency) => merit(frequency) ** 2;
}
