/**
 * MiB/s that kernels get of `ctx.data`, from the submission to the last result, with one real client:
 * `node bench/runs/data/kernel.ts --pass first|again [--client node|chromium] [--mib 1024] [--blobs 1024]`.
 * first: from the server. again: a second job on the same blobs, which the client has cached by then. The kernel
 * only asks for the bytes, so the whole way is measured: lease, transfer, hash, cache, sandbox.
 */
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { DataReference } from "../../../customer/index.ts";
import { makeBlobs, mibPerSecond } from "../support/blobs.ts";
import { cpuProfile, type Child } from "../support/children.ts";
import { costOf } from "../support/cost.ts";
import { connectTo, startClient, startNodeClient, startServer } from "../support/platform.ts";
import { childSecondsOf, cpuSecondsOf, memoryOf } from "../support/process-stat.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    pass: { type: "string", default: "first" },
    client: { type: "string", default: "node" },
    mib: { type: "string", default: "1024" },
    blobs: { type: "string", default: "1024" },
    slots: { type: "string", default: "2" },
    // A directory for a CPU profile of the client.
    "client-prof": { type: "string" },
  },
});
const mib = Number(values.mib);

const server = await startServer();
const hands = await connectTo(server);
const references: DataReference[] = [];
for (const blob of makeBlobs({ mib, blobs: Number(values.blobs) })) references.push(await hands.put(blob));
const client = values.client === "node" ? startHeadless() : undefined;
if (!client) await startClient(server, "lab-chromium", Number(values.slots));
// Starts the sandboxes.
await hands.map((x: number) => x, [1, 2, 3, 4]);
if (values.pass === "again") {
  await readAll();
  // A page writes its cache behind its tasks.
  if (!client) await setTimeout(5000);
}
const pid = client?.pid;
const before = pid === undefined ? undefined : await spentBy(pid);
const { ms, serverGrowthMib } = await costOf(server.pid, readAll);
const after = pid === undefined ? undefined : await spentBy(pid);
const extras = before &&
  after && {
    clientCpuSeconds: rounded(after.clientCpu - before.clientCpu, 2),
    sandboxCpuSeconds: rounded(after.sandboxCpu - before.sandboxCpu, 2),
    clientRssMib: after.rssMib,
  };
if (values["client-prof"]) await client?.stop();
report(mibPerSecond(mib * 1024 ** 2, ms), { serverGrowthMib, ...extras });

function startHeadless(): Child {
  return startNodeClient(server, {
    flags: ["--slots", values.slots, "--memory-mb", "4096"],
    nodeFlags: cpuProfile(values["client-prof"]),
  });
}

async function spentBy(pid: number): Promise<Record<"clientCpu" | "sandboxCpu" | "rssMib", number>> {
  const { rssMib } = await memoryOf(pid);
  return {
    clientCpu: await cpuSecondsOf(pid),
    sandboxCpu: await childSecondsOf(pid),
    rssMib: Math.round(rssMib),
  };
}

async function readAll(): Promise<void> {
  const lengths = await hands.map(
    async (blob: DataReference, ctx) => (await ctx.data(blob)).length,
    references,
  );
  if (lengths.some((length, at) => length !== references[at]?.size))
    throw new Error("not the bytes that were put");
}
