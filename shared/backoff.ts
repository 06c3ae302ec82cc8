const firstMs = 1000;
const capMs = 30_000;

/**
 * Delay before retry number `attempt` (from 0): exponential with full jitter, uniform in [0, min(30 s, 1 s × 2^attempt)),
 * so that a thousand clients of a restarted server do not come back in step
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function backoffMs(attempt: number, random: () => number): number {
  return random() * Math.min(capMs, firstMs * 2 ** Math.min(attempt, 10));
}
