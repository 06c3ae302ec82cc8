/** BullMQ on Redis: one worker process of concurrency 100; outputs come as events of the queue. */
import { Queue, QueueEvents } from "bullmq";
import { startScript } from "../support/children.ts";
import { measureDispatch } from "./measure.ts";

const added = 1000;
const name = `echo-${process.pid}`;
const connection = { url: process.env["REDIS_URL"]! };
const queue = new Queue<{ input: string }>(name, {
  connection,
  defaultJobOptions: { removeOnComplete: true },
  // By default BullMQ keeps 10,000 events, and a slow reader loses older ones.
  streams: { events: { maxLen: 100_000 } },
});
const events = new QueueEvents(name, { connection });
await events.waitUntilReady();
await startScript("dispatch/bullmq-worker.ts", [name]).line();

await measureDispatch(async (inputs) => {
  const outputs: string[] = [];
  const all = Promise.withResolvers<void>();
  const take = ({ returnvalue }: { returnvalue: string }): void => {
    outputs.push(returnvalue);
    if (outputs.length === inputs.length) all.resolve();
  };
  events.on("completed", take);
  for (let at = 0; at < inputs.length; at += added)
    await queue.addBulk(inputs.slice(at, at + added).map((input) => ({ name: "echo", data: { input } })));
  await all.promise;
  events.off("completed", take);
  return outputs;
});
