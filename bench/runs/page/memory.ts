/**
 * Bytes that a tab's JavaScript heap grows a task, over many tasks and after garbage collections, in a real Chromium:
 * `node bench/runs/page/memory.ts [--tasks 100000]`. The first tenth of the tasks warms up; the heap has to stay flat from then on.
 */
import { parseArgs } from "node:util";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { connectTo, startServer } from "../support/platform.ts";
import { memoryOf } from "../support/process-stat.ts";
import { renderersOf } from "../support/renderers.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({ options: { tasks: { type: "string", default: "100000" } } });
const tasks = Number(values.tasks);
const input = new Uint8Array(100);

const server = await startServer();
const hands = await connectTo(server);
const browser = await launchBrowser();
const page = await browser.newPage();
await page.goto(`${server.url}/?auto=1`);
const session = await page.createCDPSession();
await compute(Math.floor(tasks / 10));
const heap = [await heapMib()];
const rss = [await rssMib()];
for (let part = 0; part < 3; part++) {
  await compute(Math.floor((tasks * 0.9) / 3));
  heap.push(await heapMib());
  rss.push(await rssMib());
}
const growth = ((heap.at(-1)! - heap[0]!) * 1024 ** 2) / (tasks * 0.9);
report(rounded(growth, 2), {
  heapMib: heap.map((mib) => rounded(mib, 1)),
  renderersRssMib: rss.map((mib) => rounded(mib, 1)),
});

async function compute(count: number): Promise<void> {
  const inputs = Array.from({ length: count }, () => input);
  let done = 0;
  for await (const _ of hands.map((bytes: Uint8Array) => bytes, inputs, { verify: "off" })) done += 1;
  if (done !== count) throw new Error(`${done} of ${count} tasks`);
}

async function heapMib(): Promise<number> {
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return usedSize / 1024 ** 2;
}

async function rssMib(): Promise<number> {
  const pids = await renderersOf(browser.process()?.pid ?? 0);
  const memories = await Promise.all(pids.map((pid) => memoryOf(pid)));
  return memories.reduce((sum, one) => sum + one.rssMib, 0);
}
