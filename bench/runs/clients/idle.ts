/**
 * Idle clients: `node bench/runs/clients/idle.ts --of manyhands|ws --measure memory|cpu [--clients 1000] [--seconds 30]`.
 * memory: KiB a connection in the server, after a garbage collection. cpu: percent of one core.
 * `ws` is the least server there can be, with as many sockets. Run under `ulimit -n` of twice the clients and more.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { askableMemory } from "../support/memory-report.ts";
import { cpuSecondsOf } from "../support/process-stat.ts";
import { measureRun, startProcess, startServer } from "../support/processes.ts";
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
const seconds = Number(values.seconds);
const first = 200;

await measureRun(async () => {
  const memory = await askableMemory();
  const profile = values["server-prof"];
  if (profile) memory.nodeFlags.push("--cpu-prof", `--cpu-prof-dir=${profile}`);
  const server = values.of === "ws" ? await startBare(memory) : await startServer([], memory);
  const crowd = values.of === "ws" ? undefined : new Crowd(server.url, { taskMs: 0, wants: true });
  const join = (count: number) => (crowd ? crowd.grow(count) : openBare(server.url, count));
  const settled = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return memory.ask(server.pid);
  };
  // The first connections make what all share.
  await join(first);
  const before = await settled();
  await join(clients - first);
  const after = await settled();
  const perClient = (name: keyof typeof after): number =>
    Number(((after[name] - before[name]) / (clients - first) / 1024).toFixed(2));
  const kib = {
    rssKib: perClient("rss"),
    heapKib: perClient("heapUsed"),
    externalKib: perClient("external"),
  };
  if (values.measure === "memory" && !profile) return { value: kib.rssKib, ...kib };
  const cpu = await cpuSecondsOf(server.pid);
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const passed = (performance.now() - started) / 1000;
  const percent = ((await cpuSecondsOf(server.pid)) - cpu) / passed / 0.01;
  if (crowd && crowd.lost.length > 0) throw new Error(`lost ${crowd.lost.length}: ${crowd.lost[0]}`);
  if (profile) await server.stop();
  return { value: Number(percent.toFixed(2)), ...kib };
});

async function startBare({ nodeFlags, env }: { nodeFlags: string[]; env: Record<string, string> }) {
  const script = join(import.meta.dirname, "bare-ws-server.ts");
  const started = await startProcess(process.execPath, [...nodeFlags, script], env);
  return { ...started, url: await started.firstLine };
}

/** Sockets of the same kind, opened and left alone after one message. */
async function openBare(url: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += 64)
    await Promise.all(
      Array.from({ length: Math.min(64, count - at) }, () => {
        const socket = new WebSocket(url.replace("http", "ws"), { perMessageDeflate: false });
        return new Promise((resolve, reject) => {
          socket.on("error", reject);
          socket.on("open", () => socket.send(new Uint8Array(200), resolve));
        });
      }),
    );
}
