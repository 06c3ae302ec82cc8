/**
 * Bytes that a tab's JavaScript heap grows a task, over many tasks and after garbage collections, in a real Chromium:
 * `node bench/runs/page/memory.ts [--tasks 100000]`. The first tenth warms up; what follows has to stay flat.
 */
import { parseArgs } from "node:util";
import { connect } from "../../../customer/index.ts";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { memoryOf } from "../support/process-stat.ts";
import { measureRun, startServer } from "../support/processes.ts";
import { renderersOf } from "../support/renderers.ts";

const { values } = parseArgs({ options: { tasks: { type: "string", default: "100000" } } });
const tasks = Number(values.tasks);

await measureRun(async () => {
  const server = await startServer();
  const hands = await connect(server.url, { token: server.token });
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}/?auto=1`);
    const session = await page.createCDPSession();
    const heapMib = async (): Promise<number> => {
      await session.send("HeapProfiler.collectGarbage");
      await session.send("HeapProfiler.collectGarbage");
      const { usedSize } = await session.send("Runtime.getHeapUsage");
      return usedSize / 1024 ** 2;
    };
    const rssMib = async (): Promise<number> => {
      const pids = await renderersOf(browser.process()?.pid ?? 0);
      const memories = await Promise.all(pids.map((pid) => memoryOf(pid)));
      return memories.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / 1024 ** 2;
    };
    const compute = async (count: number): Promise<void> => {
      const input = new Uint8Array(100);
      const inputs = Array.from({ length: count }, () => input);
      let done = 0;
      for await (const _ of hands.map((bytes: Uint8Array) => bytes, inputs)) done += 1;
      if (done !== count) throw new Error(`${done} of ${count} tasks`);
    };
    await compute(Math.floor(tasks / 10));
    const heap = [await heapMib()];
    const rss = [await rssMib()];
    for (let part = 0; part < 3; part++) {
      await compute(Math.floor((tasks * 0.9) / 3));
      heap.push(await heapMib());
      rss.push(await rssMib());
    }
    const rounded = (list: readonly number[]): number[] => list.map((mib) => Number(mib.toFixed(1)));
    const growth = (((heap.at(-1) ?? NaN) - (heap[0] ?? NaN)) * 1024 ** 2) / (tasks * 0.9);
    return { value: Number(growth.toFixed(2)), heapMib: rounded(heap), renderersRssMib: rounded(rss) };
  } finally {
    await browser.close();
    hands.close();
  }
});
