/**
 * p99 in ms from asking for a task to its lease, with so many connected clients, tasks of so many ms, and a share of the
 * clients leaving and joining every second:
 * `node bench/runs/clients/busy.ts [--clients 1000] [--task-ms 10000] [--churn 0.01] [--seconds 20] [--unmet]`.
 * Run under `ulimit -n` of twice the clients and more. `--unmet`: beside it, a job that no client may run.
 */
import { parseArgs } from "node:util";
import { connect } from "../../../customer/index.ts";
import { cpuSecondsOf, memoryOf } from "../support/process-stat.ts";
import { measureRun, startServer } from "../support/processes.ts";
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

await measureRun(async () => {
  const profile = values["server-prof"];
  const server = await startServer(["--max-connections", "20000"], {
    nodeFlags: profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}`] : [],
  });
  const hands = await connect(server.url, { token: server.token });
  const tasks = Math.ceil((clients * (taskMs * 2 + seconds * 1000)) / taskMs) * 2;
  const options = { timeoutMs: 10 * taskMs };
  const nobody = { memoryMb: 1024 * 1024 };
  const numbers = (length: number): number[] => Array.from({ length }, (_, i) => i);
  // Neither is waited for: the run is over before they are.
  if (values.unmet) hands.map((x: number) => x, numbers(100), { requires: nobody }).then(undefined, () => {});
  hands.map((x: number) => x, numbers(tasks), options).then(undefined, () => {});
  while ((await hands.status()).tasks.queued < tasks)
    await new Promise((resolve) => setTimeout(resolve, 100));

  // Spread over the length of a task, as clients are that did not all start at once.
  const crowd = new Crowd(server.url, { taskMs, wants: true });
  await crowd.grow(clients, taskMs);
  crowd.churn(Number(values.churn));
  // The first tasks come back.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  crowd.forget();
  const [cpu, own] = [await cpuSecondsOf(server.pid), process.cpuUsage()];
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const passed = (performance.now() - started) / 1000;
  const cpuPercent = ((await cpuSecondsOf(server.pid)) - cpu) / passed / 0.01;
  const { user, system } = process.cpuUsage(own);
  const waits = crowd.waits.toSorted((a, b) => a - b);
  const { done, lost } = crowd;
  const { rssBytes } = await memoryOf(server.pid);
  crowd.end();
  hands.close();
  if (profile) await server.stop();
  if (waits.length < (clients * seconds * 1000) / taskMs / 2)
    throw new Error(`only ${waits.length} leases in ${seconds} s`);
  const at = (share: number): number => Number((waits[Math.floor(waits.length * share)] ?? NaN).toFixed(1));
  return {
    value: at(0.99),
    p50: at(0.5),
    p999: at(0.999),
    serverCpuPercent: Number(cpuPercent.toFixed(1)),
    loadCpuPercent: Number(((user + system) / 1e4 / passed).toFixed(1)),
    leases: waits.length,
    done,
    lost: lost.length,
    rssMib: Math.round(rssBytes / 1024 ** 2),
  };
});
