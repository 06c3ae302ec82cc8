/** The worker process of nats.ts: a task is acknowledged when its output is stored, or sent as a plain message. */
import { parseArgs } from "node:util";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { makePublisher } from "./nats-publisher.ts";
import { inFlight, streams } from "./nats-streams.ts";

const { values } = parseArgs({ options: { outputs: { type: "string" }, publish: { type: "string" } } });
const connection = await connect({ servers: process.env["NATS_URL"]! });
const tasks = await jetstream(connection).consumers.get(streams.tasks.stream, streams.tasks.consumer);
const publisher = makePublisher(connection, streams.outputs.subject, values.publish!);
const messages = await tasks.consume({ max_messages: inFlight });
console.log("ready");
for await (const message of messages)
  if (values.outputs === "stream") void publisher.one(message.data).then(() => message.ack());
  else {
    connection.publish(streams.outputs.subject, message.data);
    message.ack();
  }
