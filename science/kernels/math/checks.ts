/*
 * A kernel gets numbers from files and people. A number that is NaN or far out of range would make an endless loop, an
 * unbounded grid or an empty map, so each is refused by name before any work begins.
 */

/** @throws RangeError unless `low` ≤ `value` ≤ `high` */
export function checkRange(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high))
    throw new RangeError(`${name} of ${value}; a number from ${low} to ${high} was expected`);
}

/** @throws RangeError unless `value` is a whole number from `low` to `high` */
export function checkWhole(name: string, value: number, low: number, high: number): void {
  if (!(Number.isInteger(value) && value >= low && value <= high))
    throw new RangeError(`${name} of ${value}; a whole number from ${low} to ${high} was expected`);
}

/** @throws RangeError when a value is not finite */
export function checkFinite(name: string, values: Float64Array): void {
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]))
      throw new RangeError(
        `${name}: number ${i + 1} of ${values.length} is ${values[i]}; finite ones were expected`,
      );
}

/** Most pixels a side of an image: more would need more memory than WebAssembly has. */
const largestBox = 4096;

/** @throws RangeError unless `box` can be the side of an image or a map */
export function checkBox(box: number): void {
  checkWhole("box", box, 2, largestBox);
  if (box % 2) throw new RangeError(`box of ${box}; an even number was expected`);
}

/** @throws RangeError unless `maxRadius`, the bound of the used frequencies, is valid; in cycles per box */
export function checkMaxRadius(maxRadius: number): void {
  checkRange("maxRadius", maxRadius, 1, largestBox);
}

/** Parameters of a comparison of images by rings, over rotations and shifts. */
export type SearchParameters = {
  /** Pixels of an image a side. */
  readonly box: number;
  /** Band that is compared, cycles per box. */
  readonly minRing: number;
  readonly maxRing: number;
  /** Radius of the particle, pixels; outside is background. */
  readonly particleRadius: number;
  /** Shifts tried: a grid of `shiftStep` pixels within `shiftRadius`. */
  readonly shiftRadius: number;
  readonly shiftStep: number;
};

/** Most shifts of one search: 317 a side, where a few dozen are usual. */
const mostShifts = 100_000;

/** @throws RangeError unless a search with these parameters is possible */
export function checkSearch(search: SearchParameters): void {
  const { box, minRing, maxRing, particleRadius, shiftRadius, shiftStep } = search;
  checkRings(box, minRing, maxRing, particleRadius);
  checkShifts(shiftRadius, shiftStep);
}

/**
 * @throws RangeError unless images have such rings
 * @param particleRadius - pixels
 */
export function checkRings(box: number, minRing: number, maxRing: number, particleRadius: number): void {
  checkBox(box);
  checkWhole("minRing", minRing, 1, box / 2);
  checkWhole("maxRing", maxRing, minRing, box / 2);
  checkRange("particleRadius (pixels)", particleRadius, 0, box);
}

/** @throws RangeError unless the grid of shifts is valid and not too large; both in pixels */
export function checkShifts(shiftRadius: number, shiftStep: number): void {
  checkRange("shiftRadius (pixels)", shiftRadius, 0, largestBox);
  checkRange("shiftStep (pixels)", shiftStep, 1e-3, largestBox);
  const shifts = Math.PI * (shiftRadius / shiftStep) ** 2;
  if (shifts > mostShifts)
    throw new RangeError(
      `shifts of ${shiftStep} pixels within ${shiftRadius}: about ${Math.round(shifts)}; at most ${mostShifts} can be tried`,
    );
}

/** Parameters of the search for a better pose near a pose: rings in cycles per box, steps in degrees. */
interface ClimbParameters {
  readonly box: number;
  readonly minRing: number;
  readonly maxRing: number;
  readonly step: number;
  readonly endStep: number;
}

/** @throws RangeError unless poses can be refined with these parameters */
export function checkClimb({ box, minRing, maxRing, step, endStep }: ClimbParameters): void {
  checkBox(box);
  checkRange("minRing", minRing, 0, box / 2);
  checkRange("maxRing", maxRing, minRing, box / 2);
  checkRange("endStep", endStep, 1e-6, 180);
  checkRange("step", step, endStep, 180);
}

/** Largest error of a sum of products of a rotation matrix whose numbers have six digits. */
const rotationTolerance = 1e-3;

/** @throws RangeError unless each nine numbers are a rotation */
export function checkRotations(name: string, packed: Float64Array): void {
  if (packed.length === 0 || packed.length % 9)
    throw new RangeError(
      `${name} of ${packed.length} numbers; nine for each of one rotation or more were expected`,
    );
  for (let at = 0; at < packed.length; at += 9) {
    const rows = [0, 3, 6].map((row) => packed.subarray(at + row, at + row + 3));
    const isRotation = rows.every((row, i) =>
      rows.every((other, j) => {
        const product = row[0]! * other[0]! + row[1]! * other[1]! + row[2]! * other[2]!;
        return Math.abs(product - (i === j ? 1 : 0)) <= rotationTolerance;
      }),
    );
    if (!isRotation) throw new RangeError(`${name}: number ${at / 9 + 1} is no rotation`);
  }
}
