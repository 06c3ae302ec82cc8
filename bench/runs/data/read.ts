/** MiB/s of files that this program reads, four at a time: `node bench/runs/data/read.ts [--mib 1024] [--blobs 1024]`. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { eachAtOnce, makeBlobs, mibPerSecond } from "../support/blobs.ts";
import { temporaryDirectory } from "../support/children.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: { mib: { type: "string", default: "1024" }, blobs: { type: "string", default: "1024" } },
});
const directory = temporaryDirectory();
const paths: string[] = [];
for (const blob of makeBlobs({ mib: Number(values.mib), blobs: Number(values.blobs) })) {
  const path = join(directory, String(paths.length));
  await writeFile(path, blob);
  paths.push(path);
}
const cpuBefore = process.cpuUsage();
const started = performance.now();
let bytes = 0;
await eachAtOnce(paths, 4, async (path) => {
  const { length } = await readFile(path);
  bytes += length;
});
const ms = performance.now() - started;
const { user, system } = process.cpuUsage(cpuBefore);
report(mibPerSecond(bytes, ms), { loopCpuSeconds: rounded((user + system) / 1e6, 2) });
