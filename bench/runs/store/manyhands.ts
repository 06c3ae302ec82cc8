/**
 * Tasks per second through the durable store alone, and ms to open the store again:
 * `node manyhands.ts [--tasks 100000] [--batch 500] [--bytes 100]`.
 */
import { parseArgs } from "node:util";
import type { JobId, Sha256 } from "../../../shared/ids.ts";
import { openSqliteStore } from "../../../server/store/sqlite/open.ts";
import type { NewJob } from "../../../server/store/store.ts";
import { temporaryDirectory } from "../support/children.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "100000" },
    batch: { type: "string", default: "500" },
    bytes: { type: "string", default: "100" },
  },
});
const tasks = Number(values.tasks);
const batch = Number(values.batch);
const value = new Uint8Array(Number(values.bytes)).fill(7);
const id = "j_benchbenchbench2" as JobId;
const job: NewJob = {
  id,
  customer: "bench",
  name: "bench",
  kernel: { sha256: "00".repeat(32) as Sha256, size: 1 },
  createdAt: Date.now(),
  priority: 0,
  maxAttempts: 5,
  timeoutMs: 1000,
  memoryMb: 64,
  seed: "0",
  requires: {},
  failFast: true,
  math: "portable",
  portable: false,
  verify: "audit",
  compare: "bits",
  check: false,
};

const directory = temporaryDirectory();
const rates: Record<string, number> = {};
/** Processor time a task, in microseconds. */
const costs: Record<string, number> = {};

async function measure(name: string, verb: () => Promise<number>): Promise<void> {
  const start = performance.now();
  const before = process.cpuUsage();
  const count = await verb();
  const { user, system } = process.cpuUsage(before);
  costs[`${name} µs of CPU`] = (user + system) / count;
  rates[name] = Math.round((count / (performance.now() - start)) * 1000);
}

let store = await openSqliteStore(directory);
await store.putKernel(job.kernel.sha256, new Uint8Array(1), job.customer);
await store.createJob(job);
await measure("submit", async () => {
  for (let at = 0; at < tasks; at += batch)
    await store.submit(
      id,
      Array.from({ length: Math.min(batch, tasks - at) }, (_, k) => ({
        index: at + k,
        input: value,
        refs: [],
      })),
    );
  return tasks;
});
const claimed: number[][] = [];
await measure("claim", async () => {
  for (;;) {
    const some = await store.claim(id, batch);
    if (some.length === 0) return tasks;
    claimed.push(some.map(({ index }) => index));
  }
});
await measure("complete", async () => {
  for (const indexes of claimed)
    await store.complete(
      id,
      indexes.map((index) => ({ state: "done", index, output: value, refs: [] })),
    );
  return tasks;
});
await measure("results", async () => {
  let after = 0;
  for (;;) {
    const page = await store.results(id, after, 4096, 1024 ** 2);
    if (page.length === 0) return after;
    after = page.at(-1)!.seq;
  }
});
const { submit, claim, complete } = rates;
await store.submit(id, [{ index: tasks, input: value, refs: [] }]);
await store.close();

const start = performance.now();
store = await openSqliteStore(directory);
const opened = performance.now();
const [open] = await store.claim(id, 1);
if (open?.index !== tasks) throw new Error(`the open task is ${tasks}; ${open?.index} was claimed`);
const found = performance.now();
await store.close();
report(1 / (1 / submit! + 1 / claim! + 1 / complete!), {
  ...rates,
  ...costs,
  "open ms": opened - start,
  "first open task ms": found - opened,
});
