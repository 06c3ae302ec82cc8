/**
 * Idle clients: `node bench/runs/clients/idle.ts --of manyhands|ws --measure memory|cpu [--clients 1000] [--seconds 30]`.
 * memory: KiB a connection in the server, after a garbage collection. cpu: percent of one core.
 * `ws` is the least server, with as many sockets. Run under `ulimit -n` of twice the clients and more.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { cpuProfile, startScript } from "../support/children.ts";
import { askableMemory, type MemoryReport } from "../support/memory-report.ts";
import { startServer } from "../support/platform.ts";
import { cpuSecondsOf } from "../support/process-stat.ts";
import { report, rounded } from "../support/report.ts";
import { Crowd } from "./crowd.ts";

const { values } = parseArgs({
  options: {
    of: { type: "string", default: "manyhands" },
    measure: { type: "string", default: "memory" },
    clients: { type: "string", default: "1000" },
    seconds: { type: "string", default: "30" },
    "server-prof": { type: "string" },
  },
});
const clients = Number(values.clients);
/** Connections that allocate memory which all share; they are not counted. */
const first = 200;

const { ask, env, nodeFlags } = askableMemory();
const options = { env, nodeFlags: [...nodeFlags, ...cpuProfile(values["server-prof"])] };
const server = values.of === "ws" ? await startBareServer() : await startServer(options);
const crowd = values.of === "ws" ? undefined : new Crowd(server.url, { taskMs: 0, wants: true });
await join(first);
const before = await settledMemory();
await join(clients - first);
const after = await settledMemory();
const kib = { rssKib: perClient("rss"), heapKib: perClient("heapUsed"), externalKib: perClient("external") };
if (values.measure === "memory" && !values["server-prof"]) report(kib.rssKib, kib);
const cpu = await cpuSecondsOf(server.pid);
const started = performance.now();
await wait(Number(values.seconds) * 1000);
const passed = (performance.now() - started) / 1000;
const percent = ((await cpuSecondsOf(server.pid)) - cpu) / passed / 0.01;
if (crowd && crowd.lost.length > 0) throw new Error(`lost ${crowd.lost.length}: ${crowd.lost[0]}`);
if (values["server-prof"]) await server.stop();
report(rounded(percent, 2), kib);

async function startBareServer() {
  const child = startScript("clients/bare-ws-server.ts", [], options);
  return { ...child, url: await child.line() };
}

function join(count: number): Promise<void> {
  return crowd ? crowd.grow(count) : openBare(count);
}

/** Sockets of the same kind, opened and left alone after one message. */
async function openBare(count: number): Promise<void> {
  for (let at = 0; at < count; at += 64)
    await Promise.all(
      Array.from({ length: Math.min(64, count - at) }, () => {
        const socket = new WebSocket(server.url.replace("http", "ws"), { perMessageDeflate: false });
        return new Promise((resolve, reject) => {
          socket.on("error", reject);
          socket.on("open", () => socket.send(new Uint8Array(200), resolve));
        });
      }),
    );
}

async function settledMemory(): Promise<MemoryReport> {
  await wait(1000);
  return ask(server.pid);
}

function perClient(name: keyof MemoryReport): number {
  return rounded((after[name] - before[name]) / (clients - first) / 1024, 2);
}
