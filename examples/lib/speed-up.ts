import type { Job } from "../../customer/index.ts";

/** Number of slots at work on average while jobs ran, as a sentence: time that clients computed, over the time from first job to last result. */
export async function speedUp(jobs: readonly Job<never>[] | readonly Job<unknown>[]): Promise<string> {
  const states = await Promise.all(jobs.map((job) => job.status()));
  const costs = await Promise.all(jobs.map((job) => job.cost()));
  const computed = costs.reduce((sum, { computedMs }) => sum + computedMs, 0) / 1000;
  const begun = Math.min(...states.map(({ createdAt }) => createdAt));
  const wall = (Math.max(...states.map(({ endedAt }) => endedAt ?? 0)) - begun) / 1000;
  return `computed ${computed.toFixed(1)} s in ${wall.toFixed(1)} s: ${(computed / wall).toFixed(2)} times as fast as one slot`;
}
