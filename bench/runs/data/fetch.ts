/**
 * MiB/s of blobs fetched by the Node client's transfer code, verified by hash:
 * `node bench/runs/data/fetch.ts --from manyhands|nginx [--mib 1024] [--blobs 1024] [--at-once 4]`.
 * The same loop and files in both cases: nginx serves the server's own blob directory.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "../../../customer/index.ts";
import { createBlobTransfer } from "../../../node-client/blob-transfer.ts";
import type { BlobName } from "../../../shared/data-reference.ts";
import { eachAtOnce, makeBlobs, mibPerSecond, nameOf } from "../support/blobs.ts";
import { startNginx } from "../support/nginx.ts";
import { cpuSecondsOf, memoryOf, resetPeak } from "../support/process-stat.ts";
import { measureRun, startServer } from "../support/processes.ts";
import { joinForTicket } from "../support/ticket.ts";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "manyhands" },
    mib: { type: "string", default: "1024" },
    blobs: { type: "string", default: "1024" },
    // As many as a client fetches ahead at once (shared/client/blob-access.ts).
    "at-once": { type: "string", default: "4" },
    "server-prof": { type: "string" },
  },
});
const amount = { mib: Number(values.mib), blobs: Number(values.blobs) };
const atOnce = Number(values["at-once"]);

await measureRun(async () => {
  const profile = values["server-prof"];
  const server = await startServer([], {
    nodeFlags: profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}`] : [],
  });
  const hands = await connect(server.url, { token: server.token });
  const names: BlobName[] = [];
  for (const bytes of makeBlobs(amount)) {
    names.push(nameOf(bytes));
    await hands.put(bytes);
  }
  const from =
    values.from === "nginx"
      ? await startNginx(join(server.data, "blobs"))
      : { url: server.url, pid: server.pid };
  const { ticket, leave } = await joinForTicket(server.url, server.token);
  const transfer = createBlobTransfer(from.url);
  const before = (await memoryOf(from.pid)).rssBytes;
  await resetPeak(from.pid);
  const cpuBefore = await cpuSecondsOf(from.pid);
  const ownBefore = process.cpuUsage();
  const start = performance.now();
  await eachAtOnce(names, atOnce, async (name) => {
    await transfer.fetch(name, undefined, ticket);
  });
  const ms = performance.now() - start;
  const own = process.cpuUsage(ownBefore);
  const cpu = (await cpuSecondsOf(from.pid)) - cpuBefore;
  const { peakBytes } = await memoryOf(from.pid);
  leave();
  hands.close();
  if (profile) await server.stop();
  return {
    value: mibPerSecond(
      names.reduce((sum, { size }) => sum + size, 0),
      ms,
    ),
    serverGrowthMib: Math.round((peakBytes - before) / 1024 ** 2),
    serverCpuSeconds: Number(cpu.toFixed(2)),
    loopCpuSeconds: Number(((own.user + own.system) / 1e6).toFixed(2)),
    seconds: Number((ms / 1000).toFixed(2)),
  };
});
