/**
 * pg-boss on PostgreSQL: a loop of `fetch(100)` and `complete(ids)` in the customer's process, outputs handed over in memory.
 */
import PgBoss from "pg-boss";
import { measureDispatch } from "./measure.ts";

const fetched = 100;
const inserted = 1000;
const boss = new PgBoss({
  connectionString: process.env["POSTGRES_URL"]!,
  schema: `pgboss_${process.pid}`,
  supervise: false,
  schedule: false,
});
boss.on("error", (error) => {
  throw error;
});
await boss.start();
await boss.createQueue("echo");

await measureDispatch(async (inputs) => {
  const submitted = submit(inputs);
  const outputs: string[] = [];
  while (outputs.length < inputs.length) {
    const jobs = await boss.fetch<{ input: string }>("echo", { batchSize: fetched });
    if (jobs.length === 0) continue;
    await boss.complete(
      "echo",
      jobs.map(({ id }) => id),
    );
    outputs.push(...jobs.map(({ data }) => data.input));
  }
  await submitted;
  return outputs;
});

async function submit(inputs: readonly string[]): Promise<void> {
  for (let at = 0; at < inputs.length; at += inserted)
    await boss.insert(inputs.slice(at, at + inserted).map((input) => ({ name: "echo", data: { input } })));
}
