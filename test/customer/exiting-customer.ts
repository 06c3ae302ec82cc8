/**
 * A program whose inputs fail after two of them, and which ends as soon as it is told so. The argument `value` or `throw`
 * chooses the failure.
 */
import { connect } from "../../customer/index.ts";

const hands = await connect();
const [how, key] = process.argv.slice(2);

async function* inputs(): AsyncGenerator<unknown> {
  yield 1;
  yield 2;
  // The loop ends when the server has both inputs.
  while ((await job.status()).counts.total < 2);
  if (how === "throw") throw new Error("the detector is off");
  yield () => 3;
}
const job = hands.map((x: number) => x, inputs() as AsyncGenerator<number>, key ? { key } : {});
try {
  await job;
} catch (error) {
  process.stdout.write(String(error));
  process.exit(5);
}
