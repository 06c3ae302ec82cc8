/** `node manyhands.ts [--client node|chromium] [--job one|each]`: inputs of one open job, or a job for each. */
import { parseArgs } from "node:util";
import { connectTo, startClient, startServer, type ClientKind } from "../support/platform.ts";
import { measureLatency } from "./measure.ts";

const { values } = parseArgs({
  options: { client: { type: "string", default: "node" }, job: { type: "string", default: "one" } },
  strict: false,
});

const echo = (input: string): string => input;

const server = await startServer();
await startClient(server, values.client as ClientKind, 2);
const hands = await connectTo(server);
await measureLatency(values.job === "each" ? aJobEach : inOneJob());

async function aJobEach(input: string): Promise<string> {
  const [output] = await hands.map(echo, [input]);
  return output!;
}

/** A program that reacts: its inputs come one by one, its results are read as they come. */
function inOneJob(): (input: string) => Promise<string> {
  let give = Promise.withResolvers<string>();
  async function* inputs(): AsyncGenerator<string> {
    for (;;) {
      const input = await give.promise;
      give = Promise.withResolvers();
      yield input;
    }
  }
  const results = hands.map(echo, inputs())[Symbol.asyncIterator]();
  return async (input) => {
    give.resolve(input);
    const { value, done } = await results.next();
    if (done) throw new Error("the job ended");
    if (value.error) throw value.error;
    return value.output;
  };
}
