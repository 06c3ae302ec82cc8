/** A program that computes until it is killed: prints a line for each result. The argument is the --parallel string. */
import { connect } from "../../parallel/index.ts";

const [spec = "thread:2", count = "1000", key = "long"] = process.argv.slice(2);
await using hands = await connect(spec);
const square = (x: number): number => {
  const end = Date.now() + 20;
  while (Date.now() < end);
  return x * x;
};
const job = hands.map(square, [...Array(Number(count)).keys()], { key, math: "native" });
console.log(await job.id);
for await (const { index, output } of job) console.log(index, output);
