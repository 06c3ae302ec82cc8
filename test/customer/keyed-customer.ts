// A customer of its own process, for killed-customer.test.ts: the same key every time.
import { connect } from "../../customer/index.ts";

const [key = "", count = "0", pauseAfter = "0"] = process.argv.slice(2);
const hands = await connect();

async function* inputs(): AsyncGenerator<number> {
  for (let input = 0; input < Number(count); input++) {
    // Stands still in the middle of submitting, where it can be killed.
    if (input === Number(pauseAfter)) {
      console.log("paused");
      await new Promise(() => setInterval(() => undefined, 1000));
    }
    yield input;
  }
}

const outputs = await hands.map((x) => x * x, inputs(), { key });
console.log(JSON.stringify(outputs));
