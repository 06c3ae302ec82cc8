/** A straight line through points, by least squares. */
export interface Trend {
  /** Rise a unit of time. */
  readonly slope: number;
  /** Standard error of the slope; Infinity of fewer than three points. */
  readonly error: number;
}

/** Fits a line to values at given times. Points without a spread in time have no slope. */
export function trendOf(points: readonly (readonly [time: number, value: number])[]): Trend {
  const count = points.length;
  const meanTime = points.reduce((sum, [time]) => sum + time, 0) / count;
  const meanValue = points.reduce((sum, [, value]) => sum + value, 0) / count;
  let spread = 0;
  let product = 0;
  for (const [time, value] of points) {
    spread += (time - meanTime) ** 2;
    product += (time - meanTime) * (value - meanValue);
  }
  if (!(spread > 0)) return { slope: 0, error: Infinity };
  const slope = product / spread;
  let residual = 0;
  for (const [time, value] of points) residual += (value - meanValue - slope * (time - meanTime)) ** 2;
  return { slope, error: count > 2 ? Math.sqrt(residual / (count - 2) / spread) : Infinity };
}

/** `grows`: the slope is above the bound by more than chance explains. `unclear`: the points allow both. */
export type Verdict = "level" | "grows" | "unclear";

/** Judges a trend with two standard errors, about 95 % confidence. */
export function judge({ slope, error }: Trend, bound: number): Verdict {
  if (slope - 2 * error > bound) return "grows";
  return slope + 2 * error <= bound ? "level" : "unclear";
}
