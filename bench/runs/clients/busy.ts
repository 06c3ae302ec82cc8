/**
 * p99 in ms from asking for a task to its lease, with so many connected clients, tasks of so many ms, and a share of the
 * clients leaving and joining every second:
 * `node bench/runs/clients/busy.ts [--clients 1000] [--task-ms 10000] [--churn 0.01] [--seconds 20] [--unmet]`.
 * Run under `ulimit -n` of twice the clients and more. `--unmet`: beside it, a job that no client may run.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { percentile } from "../../harness/statistics.ts";
import { cpuProfile } from "../support/children.ts";
import { connectTo, startServer } from "../support/platform.ts";
import { cpuSecondsOf, memoryOf } from "../support/process-stat.ts";
import { report, rounded } from "../support/report.ts";
import { Crowd } from "./crowd.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "1000" },
    "task-ms": { type: "string", default: "10000" },
    churn: { type: "string", default: "0.01" },
    seconds: { type: "string", default: "20" },
    unmet: { type: "boolean", default: false },
    "server-prof": { type: "string" },
  },
});
const clients = Number(values.clients);
const taskMs = Number(values["task-ms"]);
const seconds = Number(values.seconds);

const server = await startServer({
  flags: ["--max-connections", "20000"],
  nodeFlags: cpuProfile(values["server-prof"]),
});
const hands = await connectTo(server);
const tasks = Math.ceil((clients * (taskMs * 2 + seconds * 1000)) / taskMs) * 2;
// The run ends before these jobs do.
if (values.unmet) submit(100, { requires: { memoryMb: 1024 * 1024 } });
submit(tasks, { timeoutMs: 10 * taskMs });
while ((await hands.status()).tasks.queued < tasks) await wait(100);

// Clients that joined at one moment would all ask at one moment.
const crowd = new Crowd(server.url, { taskMs, wants: true });
await crowd.grow(clients, taskMs);
crowd.churn(Number(values.churn));
// The first tasks come back meanwhile.
await wait(2000);
crowd.forget();
const cpu = await cpuSecondsOf(server.pid);
const own = process.cpuUsage();
const started = performance.now();
await wait(seconds * 1000);
const passed = (performance.now() - started) / 1000;
const cpuPercent = ((await cpuSecondsOf(server.pid)) - cpu) / passed / 0.01;
const { user, system } = process.cpuUsage(own);
const { waits, done, lost } = crowd;
const { rssMib } = await memoryOf(server.pid);
crowd.end();
if (values["server-prof"]) await server.stop();
if (waits.length < (clients * seconds * 1000) / taskMs / 2)
  throw new Error(`only ${waits.length} leases in ${seconds} s`);
report(rounded(percentile(waits, 0.99), 1), {
  p50: rounded(percentile(waits, 0.5), 1),
  p999: rounded(percentile(waits, 0.999), 1),
  serverCpuPercent: rounded(cpuPercent, 1),
  loadCpuPercent: rounded((user + system) / 1e4 / passed, 1),
  leases: waits.length,
  done,
  lost: lost.length,
  rssMib: Math.round(rssMib),
});

function submit(count: number, options: object): void {
  const inputs = Array.from({ length: count }, (_, index) => index);
  hands.map((x: number) => x, inputs, { verify: "off", ...options }).then(undefined, () => undefined);
}
