/**
 * `node restart.ts --tasks 1000000`: stores a job of so many tasks, ends the server with kill -9, and starts it on the same
 * data: seconds from the start of the process until a client has its first lease, and until it said that it is ready.
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
// Its results are never read.
job.then(undefined, () => undefined);
await job.submitted;
hands.close();
await first.child.kill("SIGKILL");

const start = performance.now();
const second = await startServer(data);
const readyMs = performance.now() - start;
await untilFirstLease(second);
const leasedMs = performance.now() - start;
report(leasedMs / 1000, {
  "ready s": readyMs / 1000,
  "server MiB": peakMemoryMib(second.child.process.pid!),
});
