/** The worker process of bullmq.ts. */
import { Worker } from "bullmq";

const worker = new Worker<{ input: string }, string>(process.argv[2]!, async ({ data }) => data.input, {
  connection: { url: process.env["REDIS_URL"]! },
  concurrency: 100,
});
await worker.waitUntilReady();
console.log("ready");
