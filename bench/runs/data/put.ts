/**
 * MiB/s of blobs put with the SDK, each on disk when it is acknowledged: `node bench/runs/data/put.ts [--mib 1024] [--blobs 1024]`.
 * `--to nginx`: hashed, and PUT to nginx (WebDAV), which syncs nothing; with `--synced` this program then syncs file and folder.
 * `--to disk`: the least that can be: hashed, written to files and synced by the program itself.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "../../../customer/index.ts";
import { nodeFetch } from "../../../customer/node-fetch.ts";
import { eachAtOnce, makeBlobs, mibPerSecond, nameOf } from "../support/blobs.ts";
import { startNginx } from "../support/nginx.ts";
import { cpuSecondsOf, memoryOf, resetPeak } from "../support/process-stat.ts";
import { measureRun, startServer, temporaryDirectory } from "../support/processes.ts";

const { values } = parseArgs({
  options: {
    to: { type: "string", default: "manyhands" },
    synced: { type: "boolean", default: false },
    mib: { type: "string", default: "1024" },
    blobs: { type: "string", default: "1024" },
    "at-once": { type: "string", default: "4" },
    "server-prof": { type: "string" },
  },
});
const amount = { mib: Number(values.mib), blobs: Number(values.blobs) };
const atOnce = Number(values["at-once"]);
type Put = (blob: Uint8Array) => Promise<void>;

await measureRun(async () => {
  // Made before, so that making them is not measured.
  const blobs = [...makeBlobs(amount)];
  const bytes = blobs.reduce((sum, { length }) => sum + length, 0);
  if (values.to === "disk")
    return { value: mibPerSecond(bytes, await timed(blobs, toDisk(await temporaryDirectory()))) };
  if (values.to === "nginx")
    return { value: mibPerSecond(bytes, await timed(blobs, await toNginx(await temporaryDirectory()))) };
  const profile = values["server-prof"];
  const server = await startServer([], {
    nodeFlags: profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}`] : [],
  });
  const hands = await connect(server.url, { token: server.token });
  const { rssBytes } = await memoryOf(server.pid);
  await resetPeak(server.pid);
  const cpuBefore = await cpuSecondsOf(server.pid);
  const ownBefore = process.cpuUsage();
  const ms = await timed(blobs, async (blob) => void (await hands.put(blob)));
  const own = process.cpuUsage(ownBefore);
  const cpu = (await cpuSecondsOf(server.pid)) - cpuBefore;
  const { peakBytes } = await memoryOf(server.pid);
  hands.close();
  if (profile) await server.stop();
  return {
    value: mibPerSecond(bytes, ms),
    serverGrowthMib: Math.round((peakBytes - rssBytes) / 1024 ** 2),
    serverCpuSeconds: Number(cpu.toFixed(2)),
    loopCpuSeconds: Number(((own.user + own.system) / 1e6).toFixed(2)),
    seconds: Number((ms / 1000).toFixed(2)),
  };
});

async function timed(blobs: Uint8Array[], work: Put): Promise<number> {
  const started = performance.now();
  await eachAtOnce(blobs, atOnce, work);
  return performance.now() - started;
}

async function toNginx(directory: string): Promise<Put> {
  const { url } = await startNginx(directory);
  return async (blob) => {
    const { sha256 } = nameOf(blob);
    // As the SDK sends it.
    const init = { method: "PUT", body: blob as Uint8Array<ArrayBuffer> };
    const response = await nodeFetch(new URL(`${url}/api/blobs/${sha256}`), init);
    await response.arrayBuffer();
    if (response.status !== 201) throw new Error(`nginx answered ${response.status}`);
    if (!values.synced) return;
    const folder = join(directory, sha256.slice(0, 2));
    await sync(join(folder, sha256));
    await sync(folder);
  };
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  await file.sync();
  await file.close();
}

/** In 256 folders, as a server has them. */
function toDisk(directory: string): Put {
  return async (blob) => {
    const { sha256 } = nameOf(blob);
    const folder = join(directory, sha256.slice(0, 2));
    await mkdir(folder, { recursive: true });
    const file = await open(join(folder, sha256), "w");
    await file.writeFile(blob);
    await file.sync();
    await file.close();
    await sync(folder);
  };
}
