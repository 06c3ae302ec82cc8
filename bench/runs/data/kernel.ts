/**
 * MiB/s that kernels get of `ctx.data`, from the submission to the last result, with one real headless client:
 * `node bench/runs/data/kernel.ts --pass first|again [--mib 1024] [--blobs 1024]`.
 * first: from the server. again: a second job on the same blobs, which the client has cached by then. In both the kernel
 * only asks for the bytes, so that this is the whole way: lease, transfer, hash, cache, sandbox.
 */
import { parseArgs } from "node:util";
import { connect, type DataReference } from "../../../customer/index.ts";
import { makeBlobs, mibPerSecond } from "../support/blobs.ts";
import { childSecondsOf, cpuSecondsOf, memoryOf, resetPeak } from "../support/process-stat.ts";
import { measureRun, startClient, startServer } from "../support/processes.ts";

const { values } = parseArgs({
  options: {
    pass: { type: "string", default: "first" },
    mib: { type: "string", default: "1024" },
    blobs: { type: "string", default: "1024" },
    slots: { type: "string", default: "2" },
    // A directory for a CPU profile of the client.
    "client-prof": { type: "string" },
  },
});
const amount = { mib: Number(values.mib), blobs: Number(values.blobs) };

await measureRun(async () => {
  const server = await startServer();
  const hands = await connect(server.url, { token: server.token });
  const references: DataReference[] = [];
  for (const blob of makeBlobs(amount)) references.push(await hands.put(blob));
  const profile = values["client-prof"];
  const client = await startClient(server, ["--slots", values.slots, "--memory-mb", "4096"], {
    nodeFlags: profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}`] : [],
  });
  // The sandboxes are warm.
  await hands.map((x: number) => x, [1, 2, 3, 4]);
  const { rssBytes } = await memoryOf(server.pid);
  await resetPeak(server.pid);
  const pass = async (): Promise<number> => {
    const started = performance.now();
    const lengths = await hands.map(
      async (blob: DataReference, ctx) => (await ctx.data(blob)).length,
      references,
    );
    if (lengths.some((length, at) => length !== references[at]?.size))
      throw new Error("not the bytes that were put");
    return performance.now() - started;
  };
  if (values.pass === "again") await pass();
  const [cpuBefore, sandboxBefore] = [await cpuSecondsOf(client.pid), await childSecondsOf(client.pid)];
  const ms = await pass();
  const clientCpu = (await cpuSecondsOf(client.pid)) - cpuBefore;
  const sandboxCpu = (await childSecondsOf(client.pid)) - sandboxBefore;
  const serverGrowth = (await memoryOf(server.pid)).peakBytes - rssBytes;
  const clientRss = (await memoryOf(client.pid)).rssBytes;
  hands.close();
  if (profile) await client.stop();
  return {
    value: mibPerSecond(amount.mib * 1024 ** 2, ms),
    serverGrowthMib: Math.round(serverGrowth / 1024 ** 2),
    clientCpuSeconds: Number(clientCpu.toFixed(2)),
    sandboxCpuSeconds: Number(sandboxCpu.toFixed(2)),
    clientRssMib: Math.round(clientRss / 1024 ** 2),
  };
});
