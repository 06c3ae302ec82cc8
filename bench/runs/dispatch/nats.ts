/**
 * NATS JetStream, file storage. The customer publishes to a work-queue stream and waits for every confirmation; a worker
 * process publishes each output and acknowledges the task when that is confirmed; the customer takes the outputs.
 * `--outputs stream`: outputs go through a second stream; `--outputs message`: as plain messages, which nothing keeps.
 * `--publish library`: with the library's `js.publish`; `--publish pipelined`: see nats-publisher.ts.
 */
import { parseArgs } from "node:util";
import { jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { startScript } from "../support/children.ts";
import { measureDispatch } from "./measure.ts";
import { makePublisher } from "./nats-publisher.ts";
import { inFlight, streams } from "./nats-streams.ts";

const { values } = parseArgs({
  options: {
    outputs: { type: "string", default: "stream" },
    publish: { type: "string", default: "library" },
  },
  strict: false,
});
const how = String(values.publish);
const connection = await connect({ servers: process.env["NATS_URL"]! });
const publisher = makePublisher(connection, streams.tasks.subject, how);
await makeStream("tasks");
if (values.outputs === "stream") await makeStream("outputs");
const takeOutputs = values.outputs === "stream" ? await fromStream() : fromMessages();
await startScript("dispatch/nats-worker.ts", ["--outputs", String(values.outputs), "--publish", how]).line();

await measureDispatch(async (inputs) => {
  const stored = publisher.all(inputs);
  const outputs = await takeOutputs(inputs.length);
  await stored;
  // Acknowledgements are on their way with the last output; this is when the server has them.
  await connection.flush();
  return outputs;
});

async function makeStream(name: keyof typeof streams): Promise<void> {
  const { stream, subject, consumer } = streams[name];
  const manager = await jetstreamManager(connection);
  await manager.streams.delete(stream).catch(() => undefined);
  await manager.streams.add({
    name: stream,
    subjects: [subject],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
  });
  await manager.consumers.add(stream, {
    durable_name: consumer,
    ack_policy: "explicit",
    max_ack_pending: -1,
  });
}

type TakeOutputs = (count: number) => Promise<string[]>;

async function fromStream(): Promise<TakeOutputs> {
  const { stream, consumer } = streams.outputs;
  const outputs = await jetstream(connection).consumers.get(stream, consumer);
  const messages = (await outputs.consume({ max_messages: inFlight }))[Symbol.asyncIterator]();
  return async (count) => {
    const results: string[] = [];
    while (results.length < count) {
      const { value, done } = await messages.next();
      if (done) throw new Error("the outputs ended");
      results.push(value.string());
      value.ack();
    }
    return results;
  };
}

function fromMessages(): TakeOutputs {
  const messages = connection.subscribe(streams.outputs.subject)[Symbol.asyncIterator]();
  return async (count) => {
    const results: string[] = [];
    while (results.length < count) {
      const { value, done } = await messages.next();
      if (done) throw new Error("the outputs ended");
      results.push(value.string());
    }
    return results;
  };
}
