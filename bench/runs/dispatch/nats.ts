/**
 * NATS JetStream, file storage. The customer publishes to a work-queue stream and waits for every confirmation; a worker
 * process publishes each output and acknowledges the task when the output is confirmed; the customer takes the outputs.
 * `--outputs stream`: outputs go through a second stream; `--outputs message`: as plain messages, which are not kept.
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
const takeOutputs = await openOutputs();
await startScript("dispatch/nats-worker.ts", ["--outputs", String(values.outputs), "--publish", how]).line();

await measureDispatch(async (inputs) => {
  const stored = publisher.all(inputs);
  const outputs = await takeOutputs(inputs.length);
  await stored;
  // The last acknowledgements may still be on their way.
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

/** The part that messages of a stream and plain messages share; only those of a stream are acknowledged. */
interface Message {
  string(): string;
  ack?(): void;
}

/** Begins to take outputs, of the stream or as plain messages. @returns a function that takes the next so many */
async function openOutputs(): Promise<(count: number) => Promise<string[]>> {
  const { stream, subject, consumer } = streams.outputs;
  const source =
    values.outputs === "stream"
      ? await (
          await jetstream(connection).consumers.get(stream, consumer)
        ).consume({ max_messages: inFlight })
      : connection.subscribe(subject);
  const messages: AsyncIterator<Message> = source[Symbol.asyncIterator]();
  return async (count) => {
    const outputs: string[] = [];
    while (outputs.length < count) {
      const { value, done } = await messages.next();
      if (done) throw new Error("the outputs ended");
      outputs.push(value.string());
      value.ack?.();
    }
    return outputs;
  };
}
