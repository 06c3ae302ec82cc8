/** Seconds of a block: results come in bundles, so that single seconds say little. */
const blockSeconds = 5;
/** Blocks below which nothing is said of the spread. */
const fewestBlocks = 3;
/** Two standard errors: about 95 of 100 ends are within the range while the rate stays as it was. */
const errors = 2;

/**
 * The range in which a job ends if its rate goes on as before, in ms from now: null where the rate may be 0.
 * @param perSecond - finished tasks of each second that was measured, oldest first
 * @param left - tasks without an outcome
 */
export function rangeOfEnd(
  perSecond: readonly number[],
  left: number,
): readonly [earliestMs: number, latestMs: number | null] | undefined {
  const blocks: number[] = [];
  for (let end = perSecond.length; end >= blockSeconds; end -= blockSeconds) {
    let sum = 0;
    for (let at = end - blockSeconds; at < end; at++) sum += perSecond[at] ?? 0;
    blocks.push(sum / blockSeconds);
  }
  if (blocks.length < fewestBlocks || left <= 0) return undefined;
  const mean = blocks.reduce((sum, rate) => sum + rate, 0) / blocks.length;
  if (mean === 0) return undefined;
  const variance = blocks.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / (blocks.length - 1);
  const spread = errors * Math.sqrt(variance / blocks.length);
  const slowest = mean - spread;
  return [(left / (mean + spread)) * 1000, slowest > 0 ? (left / slowest) * 1000 : null];
}
