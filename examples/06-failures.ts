/**
 * 6. When a kernel fails: each task is tried a few times, on other clients where there are some. A task that fails for good is
 * reported with the kernel's own stack, and never counted as done.
 *
 *     npx manyhands run examples/06-failures.ts
 * prints
 *     1 of 4 tasks failed.
 *       task 2 (error, 2 attempts, …): cannot take the root of -4
 *         at …
 *     the others: 1, 2, -, 4
 */
import { connect, TaskFailedError } from "../parallel/index.ts";

await using hands = await connect();

const job = hands.map(
  (x: number) => {
    if (x < 0) throw new RangeError(`cannot take the root of ${x}`);
    return Math.sqrt(x);
  },
  [1, 4, -4, 16],
  { maxAttempts: 2 },
);

try {
  await job;
} catch (error) {
  if (!(error instanceof TaskFailedError)) throw error;
  console.log(error.message);
}

// The other outputs are on the server; settled() does not reject for a failed task.
const tasks = await job.settled();
console.log("the others:", tasks.map((task) => (task.status === "done" ? task.output : "-")).join(", "));

// `await job.requeueFailed()` would try the failed task again.
