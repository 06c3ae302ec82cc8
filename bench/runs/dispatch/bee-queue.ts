/** bee-queue on Redis: two worker processes; outputs come as events of the queue. */
import BeeQueue from "bee-queue";
import { startScript } from "../support/children.ts";
import { measureDispatch } from "./measure.ts";

const saved = 1000;
const name = `echo-${process.pid}`;
const queue = new BeeQueue<{ input: string }>(name, {
  redis: { url: process.env["REDIS_URL"]! },
  isWorker: false,
  storeJobs: false,
});
await queue.ready();
for (const worker of [startWorker(), startWorker()]) await worker.line();

await measureDispatch(async (inputs) => {
  const outputs: string[] = [];
  const all = Promise.withResolvers<void>();
  const take = (_: string, output: string): void => {
    outputs.push(output);
    if (outputs.length === inputs.length) all.resolve();
  };
  queue.on("job succeeded", take);
  for (let at = 0; at < inputs.length; at += saved) {
    const errors = await queue.saveAll(
      inputs.slice(at, at + saved).map((input) => queue.createJob({ input })),
    );
    for (const [, error] of errors) throw error;
  }
  await all.promise;
  queue.off("job succeeded", take);
  return outputs;
});

function startWorker(): ReturnType<typeof startScript> {
  return startScript("dispatch/bee-queue-worker.ts", [name]);
}
