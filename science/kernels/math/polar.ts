import { checkRings } from "./checks.ts";
import { cos, sin } from "./trigonometry.ts";

/**
 * Rings of the transform of an image. A real image has F(r, θ+π) = conj F(r, θ), so the real part of a ring has only even
 * angular harmonics and the imaginary part only odd ones: the real ring `Re F + Im F` (the Hartley transform) holds both
 * without mixing, and the correlation of two such rings over all rotations is that of the complex rings.
 */
export interface PolarGrid {
  readonly box: number;
  /** Radius of the particle, pixels. */
  readonly particleRadius: number;
  /** First and last ring, cycles per box. */
  readonly minRing: number;
  readonly maxRing: number;
  readonly rings: number;
  /** Samples of a full ring, a power of two; the step of in-plane rotations is 360° ÷ angles. */
  readonly angles: number;
  /** Highest angular harmonic, and for each harmonic the index of the first ring that has it. */
  readonly harmonics: number;
  readonly firstRing: Int32Array;
  /** Numbers of one spectrum: harmonics 0 … `harmonics`, each with re, im of every ring. */
  readonly spectrumLength: number;
  /** Cosine and sine of the angles of the sampled half of a ring. */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/**
 * @param box - pixels of the image a side
 * @param minRing - cycles per box, at least 1
 * @param maxRing - cycles per box, below box/2
 * @param particleRadius - pixels; limits the angular harmonics of ring r to about 2π·r·particleRadius/box
 * @throws RangeError when a parameter is out of its range
 */
export function polarGrid(box: number, minRing: number, maxRing: number, particleRadius: number): PolarGrid {
  checkRings(box, minRing, maxRing, particleRadius);
  // A field inside radius R has Bessel terms J_m(2π r R) in its rings, which are negligible from m a little above the argument
  // on.
  const highest = (ring: number): number => Math.ceil((2 * Math.PI * ring * particleRadius) / box) + 2;
  const rings = maxRing - minRing + 1;
  let angles = 16;
  while (angles <= 2 * highest(maxRing)) angles *= 2;
  const harmonics = Math.min(highest(maxRing), angles / 2 - 1);
  const firstRing = Int32Array.from({ length: harmonics + 1 }, (_, m) => {
    let ring = 0;
    while (ring < rings - 1 && highest(minRing + ring) < m) ring++;
    return ring;
  });
  const angle = (i: number): number => (2 * Math.PI * i) / angles;
  return {
    box,
    particleRadius,
    minRing,
    maxRing,
    rings,
    angles,
    harmonics,
    firstRing,
    spectrumLength: 2 * (harmonics + 1) * rings,
    cos: Float64Array.from({ length: angles / 2 }, (_, i) => cos(angle(i))),
    sin: Float64Array.from({ length: angles / 2 }, (_, i) => sin(angle(i))),
  };
}

/** Number of samples in the half rings of one image: every angle of half a ring, ring after ring. */
export function polarSamples(grid: PolarGrid): number {
  return (grid.rings * grid.angles) / 2;
}

/**
 * Interpolation table of the half rings' samples in the half transform of an image padded to `padded` pixels, for `samplePolar`
 * (wasm/assembly/polar.ts).
 */
export function polarTable(grid: PolarGrid, padded: number): Uint32Array {
  const table = new Uint32Array(8 * polarSamples(grid));
  const weights = new Float32Array(table.buffer);
  const rowBytes = 4 * (padded + 2);
  forEachSample(grid, (at, kx, ky) => {
    const scale = (kx < 0 ? -1 : 1) * (padded / grid.box);
    const [x, y] = [kx * scale, ky * scale];
    const [x0, y0] = [Math.floor(x), Math.floor(y)];
    const [fx, fy] = [x - x0, y - y0];
    table[8 * at] = ((y0 + padded) % padded) * rowBytes + 8 * x0;
    table[8 * at + 1] = ((y0 + 1 + padded) % padded) * rowBytes + 8 * x0;
    const sides = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy];
    weights.set([...sides, 1, Math.sign(scale)], 8 * at + 2);
  });
  return table;
}

/**
 * Phases `exp(−2πi·k·o/box)` of four shifts by `o` pixels, on an image's polar samples: for each sample the four cosines, then
 * the four sines.
 */
export function polarShifts(grid: PolarGrid, shifts: readonly { x: number; y: number }[]): Float32Array {
  const phases = new Float32Array(8 * polarSamples(grid));
  forEachSample(grid, (at, kx, ky) =>
    shifts.forEach(({ x, y }, lane) => {
      const angle = (-2 * Math.PI * (kx * x + ky * y)) / grid.box;
      phases[8 * at + lane] = cos(angle);
      phases[8 * at + 4 + lane] = sin(angle);
    }),
  );
  return phases;
}

/** Visits the samples of half rings; frequencies in cycles per box. */
function forEachSample(grid: PolarGrid, visit: (at: number, kx: number, ky: number) => void): void {
  let at = 0;
  for (let ring = grid.minRing; ring <= grid.maxRing; ring++)
    for (let i = 0; i < grid.angles / 2; i++) visit(at++, ring * grid.cos[i]!, ring * grid.sin[i]!);
}

/** Number of columns kx = 0 … n − 1 of a half transform of `padded` pixels that the polar samples need. */
export function polarColumns(grid: PolarGrid, padded: number): number {
  return Math.min(padded / 2 + 1, Math.ceil((padded / grid.box) * grid.maxRing) + 2);
}
