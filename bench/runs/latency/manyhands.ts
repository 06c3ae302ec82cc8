/**
 * `node manyhands.ts [--client node|chromium] [--job one|each] [--posted]`: inputs of one open job, or a job for each.
 * `--posted`: no WebSocket of a job gets through, as behind a proxy without WebSockets, so every input is posted.
 */
import { parseArgs } from "node:util";
import { HttpClient } from "../../../customer/http.ts";
import { connectTo, startClient, startServer, type ClientKind } from "../support/platform.ts";
import { measureLatency } from "./measure.ts";

const { values } = parseArgs({
  options: {
    client: { type: "string", default: "node" },
    job: { type: "string", default: "one" },
    posted: { type: "boolean", default: false },
  },
  strict: false,
});

const echo = (input: string): string => input;

if (values.posted) refuseWebSockets();
const server = await startServer();
await startClient(server, values.client as ClientKind, 2);
const hands = await connectTo(server);
await measureLatency(values.job === "each" ? aJobEach : inOneJob());

async function aJobEach(input: string): Promise<string> {
  const [output] = await hands.map(echo, [input], { verify: "off" });
  return output!;
}

/** A program that gives its next input when it has read the result of the last. */
function inOneJob(): (input: string) => Promise<string> {
  let give = Promise.withResolvers<string>();
  async function* inputs(): AsyncGenerator<string> {
    for (;;) {
      const input = await give.promise;
      give = Promise.withResolvers();
      yield input;
    }
  }
  const results = hands.map(echo, inputs(), { verify: "off" })[Symbol.asyncIterator]();
  return async (input) => {
    give.resolve(input);
    const { value, done } = await results.next();
    if (done) throw new Error("the job ended");
    if (value.error) throw value.error;
    return value.output;
  };
}

/** Gives WebSockets of jobs an address at which the server answers with 404. */
function refuseWebSockets(): void {
  HttpClient.prototype.socketAddress = async function () {
    const url = new URL("/nowhere", this.url);
    url.protocol = "ws:";
    return { url, headers: {} };
  };
}
