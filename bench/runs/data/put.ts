/**
 * MiB/s of blobs put with the SDK, each on disk when it is acknowledged: `node bench/runs/data/put.ts [--mib 1024] [--blobs 1024]`.
 * `--to nginx`: hashed, and PUT to nginx (WebDAV), which syncs nothing; with `--synced` this program then syncs file and folder.
 * `--to disk`: hashed, written to files and synced by this program, the least work there can be.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Network } from "../../../customer/network.ts";
import { eachAtOnce, makeBlobs, mibPerSecond, nameOf } from "../support/blobs.ts";
import { cpuProfile, temporaryDirectory } from "../support/children.ts";
import { costOf } from "../support/cost.ts";
import { startNginx } from "../support/nginx.ts";
import { connectTo, startServer } from "../support/platform.ts";
import { report } from "../support/report.ts";

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
type Put = (blob: Uint8Array) => Promise<void>;

// Making the blobs is not measured.
const blobs = [...makeBlobs({ mib: Number(values.mib), blobs: Number(values.blobs) })];
const bytes = blobs.reduce((sum, { length }) => sum + length, 0);
if (values.to !== "manyhands") {
  const directory = temporaryDirectory();
  const put = values.to === "nginx" ? await toNginx(directory) : toDisk(directory);
  const started = performance.now();
  await putAll(put);
  report(mibPerSecond(bytes, performance.now() - started));
}
const server = await startServer({ nodeFlags: cpuProfile(values["server-prof"]) });
const hands = await connectTo(server);
const { ms, ...cost } = await costOf(server.pid, () => putAll(async (blob) => void (await hands.put(blob))));
if (values["server-prof"]) await server.stop();
report(mibPerSecond(bytes, ms), cost);

function putAll(put: Put): Promise<void> {
  return eachAtOnce(blobs, Number(values["at-once"]), put);
}

const network = new Network();

async function toNginx(directory: string): Promise<Put> {
  const { url } = await startNginx(directory);
  return async (blob) => {
    const { sha256 } = nameOf(blob);
    // The request of the SDK.
    const init = { method: "PUT", body: blob as Uint8Array<ArrayBuffer> };
    const response = await network.fetch(new URL(`${url}/api/blobs/${sha256}`), init);
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

/** Puts into 256 folders, as a server does. */
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
