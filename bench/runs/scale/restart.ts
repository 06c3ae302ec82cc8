/**
 * `node restart.ts --tasks 1000000`: stores a job of so many tasks, ends the server with kill -9, and starts it on the same
 * data: seconds from the start of the process until it has told how the job stands. The first lease comes later: for 2.5 s
 * after a restart the server waits for clients that come back and bring their leases.
 */
import { parseArgs } from "node:util";
import { peakMemoryMib } from "../support/memory.ts";
import { connectTo, startServer, temporary } from "../support/platform.ts";
import { report } from "../support/report.ts";
import { untilFirstLease } from "../support/first-lease.ts";

const { values } = parseArgs({ options: { tasks: { type: "string", default: "10000" } } });
const tasks = Number(values.tasks);

const echo = (input: string): string => input;

function* inputs(): Generator<string> {
  for (let i = 0; i < tasks; i++) yield `${i} `.padEnd(100, ".");
}

const data = await temporary("data");
const first = await startServer(data);
const hands = await connectTo(first);
const job = hands.map(echo, inputs());
const id = await job.id;
// Its results are never read.
job.then(undefined, () => undefined);
await job.submitted;
hands.close();
await first.child.kill("SIGKILL");

const start = performance.now();
const second = await startServer(data);
const again = await connectTo(second);
const { counts } = await again.api.job(id);
const readyMs = performance.now() - start;
if (counts.total !== tasks) throw new Error(`${counts.total} of ${tasks} tasks are there`);
await untilFirstLease(second);
const leasedMs = performance.now() - start;
report(readyMs / 1000, {
  "first lease s": leasedMs / 1000,
  "server MiB": peakMemoryMib(second.child.process.pid!),
});
