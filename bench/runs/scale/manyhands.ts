/**
 * `node manyhands.ts --tasks 1000000 [--report rate|memory]`: a job of so many no-op tasks through one node client of two
 * slots, its results read as they come: tasks a second, or the server's largest resident memory in MiB.
 */
import { parseArgs } from "node:util";
import { inputs } from "../support/inputs.ts";
import { connectTo, startClient, startServer } from "../support/platform.ts";
import { memoryOf } from "../support/process-stat.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: { tasks: { type: "string", default: "10000" }, report: { type: "string", default: "rate" } },
});
const tasks = Number(values.tasks);

const echo = (input: string): string => input;

const server = await startServer();
await startClient(server, "node", 2);
const hands = await connectTo(server);
await hands.map(echo, inputs(5000), { verify: "off" });

const start = performance.now();
let count = 0;
for await (const { error, index, output } of hands.map(echo, inputs(tasks), { verify: "off" })) {
  if (error) throw error;
  if (!output.startsWith(`${index} `)) throw new Error(`the output of task ${index} is "${output}"`);
  count++;
}
const seconds = (performance.now() - start) / 1000;
if (count !== tasks) throw new Error(`${tasks} tasks gave ${count} results`);
const rate = tasks / seconds;
const { peakMib } = await memoryOf(server.pid);
if (values.report === "memory") report(peakMib, { "tasks/s": rate });
report(rate, { "server MiB": peakMib });
