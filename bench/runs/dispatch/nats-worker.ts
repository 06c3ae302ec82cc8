import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

export const streams = {
  tasks: { stream: "TASKS", subject: "tasks", consumer: "workers" },
  outputs: { stream: "OUTPUTS", subject: "outputs", consumer: "customer" },
} as const;

/** Tried 100, 500, 1000 and 5000; see the runs. */
export const inFlight = 1000;

if (process.argv[2] === "work") {
  const connection = await connect({ servers: process.env["NATS_URL"]! });
  const client = jetstream(connection);
  const tasks = await client.consumers.get(streams.tasks.stream, streams.tasks.consumer);
  const messages = await tasks.consume({ max_messages: inFlight });
  console.log("ready");
  for await (const message of messages)
    void client.publish(streams.outputs.subject, message.data).then(() => message.ack());
}
