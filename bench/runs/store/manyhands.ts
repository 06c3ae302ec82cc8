/**
 * Tasks per second through the durable store alone, and ms to open the store again:
 * `node manyhands.ts [--tasks 100000] [--batch 500] [--bytes 100] [--under-way 1] [--database sqlite]`. With `--database postgres` on
 * the PostgreSQL of POSTGRES_URL, and then also PostgreSQL's processor time and the bytes of its log.
 */
import { parseArgs } from "node:util";
import { openSqliteStore } from "../../../server/store/sqlite/open.ts";
import type { Store } from "../../../server/store/store.ts";
import { openPostgresStore } from "../../../server/store/postgres/open.ts";
import { temporaryDirectory } from "../support/children.ts";
import { startMeter } from "../support/postgres-meter.ts";
import { report } from "../support/report.ts";
import { makeJob } from "./job.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "100000" },
    batch: { type: "string", default: "500" },
    bytes: { type: "string", default: "100" },
    "under-way": { type: "string", default: "1" },
    database: { type: "string", default: "sqlite" },
  },
});
const tasks = Number(values.tasks);
const batch = Number(values.batch);
const value = new Uint8Array(Number(values.bytes)).fill(7);
/** Verbs under way at a time. */
const underWay = Number(values["under-way"]);
const postgres = values.database === "postgres" ? await startMeter() : undefined;
const directory = temporaryDirectory();
const openStore = (): Promise<Store> =>
  postgres ? openPostgresStore(postgres.url) : openSqliteStore(directory);

/** Calls a verb with each item, some at a time. */
async function each<T>(items: readonly T[], verb: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: underWay }, async () => {
      for (const item of left) await verb(item);
    }),
  );
}

const rates: Record<string, number> = {};
/** Processor time a task, in microseconds. */
const costs: Record<string, number> = {};

async function measure(name: string, verb: () => Promise<number>): Promise<void> {
  const start = performance.now();
  const before = process.cpuUsage();
  const spent = await postgres?.read();
  const count = await verb();
  const { user, system } = process.cpuUsage(before);
  if (postgres && spent) {
    const now = await postgres.read();
    costs[`${name} µs of PostgreSQL's CPU`] = ((now.seconds - spent.seconds) * 1e6) / count;
    costs[`${name} bytes of WAL`] = (now.walBytes - spent.walBytes) / count;
  }
  costs[`${name} µs of CPU`] = (user + system) / count;
  rates[name] = Math.round((count / (performance.now() - start)) * 1000);
}

let store = await openStore();
const id = await makeJob(store);
await measure("submit", async () => {
  const batches = Array.from({ length: Math.ceil(tasks / batch) }, (_, nth) => nth * batch);
  await each(batches, (at) =>
    store.submit(
      id,
      Array.from({ length: Math.min(batch, tasks - at) }, (_, k) => ({
        index: at + k,
        input: value,
        refs: [],
      })),
    ),
  );
  return tasks;
});
const claimed: number[][] = [];
await measure("claim", async () => {
  await each(Array.from({ length: underWay }), async () => {
    for (let some; (some = await store.claim(id, batch)).length > 0;)
      claimed.push(some.map(({ index }) => index));
  });
  return tasks;
});
await measure("complete", async () => {
  await each(claimed, (indexes) =>
    store.complete(
      id,
      indexes.map((index) => ({ state: "done", index, output: value, refs: [] })),
    ),
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
store = await openStore();
const opened = performance.now();
const [open] = await store.claim(id, 1);
if (open?.index !== tasks) throw new Error(`the open task is ${tasks}; ${open?.index} was claimed`);
const found = performance.now();
await store.close();
await postgres?.close();
report(1 / (1 / submit! + 1 / claim! + 1 / complete!), {
  ...rates,
  ...costs,
  "open ms": opened - start,
  "first open task ms": found - opened,
});
