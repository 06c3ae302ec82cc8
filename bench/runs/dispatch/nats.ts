/**
 * NATS JetStream, file storage. The customer publishes to a work-queue stream and waits for every confirmation; a worker
 * process takes batches, publishes each output to a second stream, and acknowledges the task when that is confirmed; the
 * customer takes the outputs and acknowledges them.
 */
import { jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { startScript } from "../support/children.ts";
import { measureDispatch } from "./measure.ts";
import { inFlight, streams } from "./nats-worker.ts";

const connection = await connect({ servers: process.env["NATS_URL"]! });
const manager = await jetstreamManager(connection);
for (const { stream, subject, consumer } of Object.values(streams)) {
  await manager.streams.delete(stream).catch(() => undefined);
  await manager.streams.add({
    name: stream,
    subjects: [subject],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
  });
  await manager.consumers.add(stream, { durable_name: consumer, ack_policy: "explicit", max_ack_pending: -1 });
}
const client = jetstream(connection);
await startScript("dispatch/nats-worker.ts", ["work"]).line();
const outputs = await client.consumers.get(streams.outputs.stream, streams.outputs.consumer);

await measureDispatch(async (inputs) => {
  const messages = await outputs.consume({ max_messages: inFlight });
  const published = publishAll(inputs);
  const results: string[] = [];
  for await (const message of messages) {
    results.push(message.string());
    message.ack();
    if (results.length === inputs.length) break;
  }
  await published;
  await connection.flush();
  return results;
});

/** Publishes with at most so many confirmations outstanding: more of them time out. */
async function publishAll(inputs: readonly string[]): Promise<void> {
  for (let at = 0; at < inputs.length; at += inFlight)
    await Promise.all(
      inputs.slice(at, at + inFlight).map((input) => client.publish(streams.tasks.subject, input)),
    );
}
