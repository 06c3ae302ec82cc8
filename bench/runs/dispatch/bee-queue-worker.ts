/** A worker process of bee-queue.ts. */
import BeeQueue from "bee-queue";

const queue = new BeeQueue<{ input: string }>(process.argv[2]!, {
  redis: { url: process.env["REDIS_URL"]! },
  getEvents: false,
  sendEvents: true,
  removeOnSuccess: true,
});
queue.process(100, async ({ data }) => data.input);
await queue.ready();
console.log("ready");
