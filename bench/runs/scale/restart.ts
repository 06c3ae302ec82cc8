/**
 * `node restart.ts --tasks 1000000`: stores a job of so many tasks, ends the server with kill -9, and starts it on the same
 * data: seconds from the start of the process until the server has told how the job stands. The first lease comes later: for 2.5 s
 * after a restart the server waits for clients that come back and bring their leases.
 */
import { parseArgs } from "node:util";
import { connectClient } from "../support/bare-client.ts";
import { inputs } from "../support/inputs.ts";
import { connectTo, startServer, type Address } from "../support/platform.ts";
import { memoryOf } from "../support/process-stat.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({ options: { tasks: { type: "string", default: "10000" } } });
const tasks = Number(values.tasks);

const first = await startServer();
const hands = await connectTo(first);
const job = hands.map((input: string) => input, inputs(tasks));
const id = await job.id;
// The results of the job are never read.
job.then(undefined, () => undefined);
await job.submitted;
hands.close();
await first.stop("SIGKILL");

const start = performance.now();
const second = await startServer({ data: first.data });
const again = await connectTo(second);
const { counts } = await again.api.job(id);
const readyMs = performance.now() - start;
if (counts.total !== tasks) throw new Error(`${counts.total} of ${tasks} tasks are there`);
await firstLease(second);
const leasedMs = performance.now() - start;
const { peakMib } = await memoryOf(second.pid);
report(readyMs / 1000, { "first lease s": leasedMs / 1000, "server MiB": peakMib });

/** Waits until a client of one slot has a lease. */
function firstLease(server: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const client = connectClient(server.url, server, {
      received: ({ type }) => {
        if (type === "welcome") client.send({ type: "want", tasks: 1, slots: 1 });
        else if (type === "lease") resolve();
      },
      lost: (why) => reject(new Error(why)),
    });
  });
}
