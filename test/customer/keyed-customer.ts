// A customer in a process of its own, for killed-customer.test.ts, with the same key in every run.
import { connect } from "../../customer/index.ts";

const [key = "", count = "0", pauseAfter = "0"] = process.argv.slice(2);
const hands = await connect();

async function* inputs(): AsyncGenerator<number> {
  for (let input = 0; input < Number(count); input++) {
    // Pauses in the middle of the submission, where the test kills the process.
    if (input === Number(pauseAfter)) {
      console.log("paused");
      await new Promise(() => setInterval(() => undefined, 1000));
    }
    yield input;
  }
}

const outputs = await hands.map((x) => x * x, inputs(), { key });
console.log(JSON.stringify(outputs));
