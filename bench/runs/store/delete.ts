/**
 * The longest turn of the event loop, in ms, while a job and its results are deleted:
 * `node delete.ts [--tasks 1000000] [--bytes 100] [--batch 500] [--database sqlite|postgres]`. A busy machine lengthens turns; the processor time of the
 * longest one, without its flushes, is told beside it.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openPostgresStore } from "../../../server/store/postgres/open.ts";
import { databaseName, openSqliteStore } from "../../../server/store/sqlite/open.ts";
import { temporaryDirectory } from "../support/children.ts";
import { startMeter } from "../support/postgres-meter.ts";
import { report, rounded } from "../support/report.ts";
import { makeJob } from "./job.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000000" },
    bytes: { type: "string", default: "100" },
    batch: { type: "string", default: "500" },
    database: { type: "string", default: "sqlite" },
  },
});
/** Free space that a database keeps, and some pages in use. */
const leftBytes = 16 * 1024 ** 2;
const tasks = Number(values.tasks);
const batch = Number(values.batch);
const value = new Uint8Array(Number(values.bytes)).fill(7);
const directory = temporaryDirectory();
const onSqlite = values.database === "sqlite";
const store = onSqlite ? await openSqliteStore(directory) : await openPostgresStore((await startMeter()).url);
const id = await makeJob(store);
for (let at = 0; at < tasks; at += batch) {
  const indexes = Array.from({ length: Math.min(batch, tasks - at) }, (_, k) => at + k);
  await store.submit(
    id,
    indexes.map((index) => ({ index, input: value, refs: [] })),
  );
  await store.complete(
    id,
    indexes.map((index) => ({ state: "done", index, output: value, refs: [] })),
  );
}

const turns = { longestMs: 0, longestCpuMs: 0, count: 0 };
const work = { isOver: false };
const watching = watch();
const started = performance.now();
await store.deleteJob(id);
const tookMs = performance.now() - started;
// SQLite gives the space back afterwards.
const isSmall = async (): Promise<boolean> => (await stat(join(directory, databaseName))).size < leftBytes;
if (onSqlite) while (!(await isSmall())) await wait(10);
const spaceMs = performance.now() - started;
work.isOver = true;
await watching;
await store.close();
report(rounded(turns.longestMs, 1), {
  "ms of processor time of the longest turn": rounded(turns.longestCpuMs, 1),
  turns: turns.count,
  "ms until no row is left": Math.round(tookMs),
  ...(onSqlite && { "ms until the file is small": Math.round(spaceMs) }),
});

/** Measures every turn of the event loop until the job is deleted. */
async function watch(): Promise<void> {
  while (!work.isOver) {
    const [began, { user, system }] = [performance.now(), process.threadCpuUsage()];
    await new Promise((resolve) => setImmediate(resolve));
    const cpu = process.threadCpuUsage();
    turns.count++;
    turns.longestMs = Math.max(turns.longestMs, performance.now() - began);
    turns.longestCpuMs = Math.max(turns.longestCpuMs, (cpu.user - user + cpu.system - system) / 1000);
  }
}
