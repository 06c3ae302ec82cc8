/**
 * 10. One task as a promise, where the next depends on its output: the minimum of a valley by golden-section search, from two starts
 * at once. Tasks of one kernel share a job. A kernel of several arguments gets them in order, and `ctx` behind them.
 *
 *     npx manyhands run examples/10-submit.ts
 * prints
 *     from 0: the minimum is at 2.000
 *     from 1: the minimum is at 2.000
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect();

const height = (x: number, centre: number): number => (x - centre) ** 2;
const golden = (Math.sqrt(5) - 1) / 2;

async function minimum(start: number): Promise<number> {
  let [low, high] = [start, 10];
  while (high - low > 1e-4) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    const [a, b] = await Promise.all([hands.submit(height, left, 2), hands.submit(height, right, 2)]);
    if (a < b) high = right;
    else low = left;
  }
  return (low + high) / 2;
}

const starts = [0, 1];
const minima = await Promise.all(starts.map(minimum));
for (const [at, start] of starts.entries())
  console.log(`from ${start}: the minimum is at ${minima[at]!.toFixed(3)}`);
