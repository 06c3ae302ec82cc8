/** A program that submits inputs one by one, takes a given number of results and ends while its job is open. */
import { connect } from "../../customer/index.ts";

const hands = await connect();
let give = Promise.withResolvers<void>();
async function* inputs(): AsyncGenerator<number> {
  for (let index = 0; ; index++) {
    yield index;
    await give.promise;
    give = Promise.withResolvers();
  }
}
let seen = 0;
for await (const _ of hands.map((x: number) => x, inputs())) {
  if (++seen === Number(process.argv[2])) break;
  give.resolve();
}
process.stdout.write("left\n");
