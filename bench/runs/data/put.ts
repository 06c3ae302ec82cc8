/**
 * MiB/s of blobs put with the SDK, each on disk when it is acknowledged: `node bench/runs/data/put.ts [--mib 1024] [--blobs 1024]`.
 * `--to nginx`: hashed, and PUT to nginx (WebDAV), which syncs nothing; with `--synced` this program then syncs file and folder.
 * `--to disk`: hashed, written to files and synced by this program, the least work there can be.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { eachAtOnce, makeBlobs, mibPerSecond, nameOf } from "../support/blobs.ts";
import { cpuProfile, temporaryDirectory } from "../support/children.ts";
import { costOf } from "../support/cost.ts";
import { putsToNginx, sync } from "../support/nginx-put.ts";
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
type Put = (blob: Uint8Array) => Promise<unknown>;

// Making the blobs is not measured.
const blobs = [...makeBlobs({ mib: Number(values.mib), blobs: Number(values.blobs) })];
const bytes = blobs.reduce((sum, { length }) => sum + length, 0);
if (values.to !== "manyhands") {
  const put = values.to === "nginx" ? await putsToNginx(values.synced) : toDisk(temporaryDirectory());
  const started = performance.now();
  await putAll(put);
  report(mibPerSecond(bytes, performance.now() - started));
}
const server = await startServer({ nodeFlags: cpuProfile(values["server-prof"]) });
const hands = await connectTo(server);
const { ms, ...cost } = await costOf(server.pid, () => putAll((blob) => hands.put(blob)));
if (values["server-prof"]) await server.stop();
report(mibPerSecond(bytes, ms), cost);

function putAll(put: Put): Promise<void> {
  return eachAtOnce(blobs, Number(values["at-once"]), async (blob) => void (await put(blob)));
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
