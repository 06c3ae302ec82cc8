/**
 * 7. A long task that survives its client: `ctx.checkpoint` stores its progress on the server, and another machine goes on from
 * there (`ctx.resume`). Close the tab or kill the client in the middle, and watch where the next client starts.
 *
 *     npx manyhands run examples/07-checkpoint.ts
 * prints
 *     started at step 0        (or later, when a client left in the middle)
 *     the longest Collatz sequence below 1000000 starts at 837799, 524 steps
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect();

interface State {
  readonly n: number;
  readonly best: number;
  readonly steps: number;
}

const job = hands.map(
  (limit: number, ctx) => {
    let { n, best, steps } = (ctx.resume ?? { n: 1, best: 1, steps: 0 }) as unknown as State;
    ctx.log(`started at step ${n - 1}`);
    for (; n < limit; n++) {
      let length = 0;
      for (let value = n; value !== 1; length++) value = value % 2 === 0 ? value / 2 : 3 * value + 1;
      if (length > steps) [best, steps] = [n, length];
      if (n % 50_000 === 0) {
        // Frequent calls are cheap: both are coalesced before they leave the machine.
        ctx.progress(n / limit);
        ctx.checkpoint({ n: n + 1, best, steps });
      }
    }
    return { best, steps };
  },
  [1_000_000],
);

const [record] = await job;
for (const { line } of await job.logs()) console.log(line);
console.log(`the longest Collatz sequence below 1000000 starts at ${record?.best}, ${record?.steps} steps`);
