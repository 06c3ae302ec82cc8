/**
 * 2. Results as they are completed, and progress: how many of a million darts land in the circle?
 *
 * The kernel takes its random numbers from `ctx.random`, which gives a task the same stream on every client: two runs print the
 * same pi to the last digit.
 *
 *     npx manyhands run examples/02-stream-and-progress.ts
 * prints progress on standard error (at most four lines a second), and in the end
 *     pi is about 3.14… from 1000000 darts
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect();

const dartsPerTask = 20_000;
const tasks = 50;

const job = hands.map(
  (darts: number, ctx) => {
    let inside = 0;
    for (let dart = 0; dart < darts; dart++) {
      const [x, y] = [ctx.random(), ctx.random()];
      if (x * x + y * y < 1) inside++;
    }
    return inside;
  },
  Array.from({ length: tasks }, () => dartsPerTask),
  {
    name: "pi",
    onProgress: ({ done, total, running, rate }) =>
      console.error(`${done}/${total} done, ${running} running, ${rate.toFixed(1)} tasks/s`),
  },
);

let inside = 0;
for await (const outcome of job) {
  if (outcome.error) throw outcome.error;
  inside += outcome.output;
}
const darts = dartsPerTask * tasks;
console.log(`pi is about ${(4 * inside) / darts} from ${darts} darts`);
