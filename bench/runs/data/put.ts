/**
 * MiB/s of blobs put with the SDK, each on disk when it is acknowledged: `node bench/runs/data/put.ts [--mib 1024] [--blobs 1024]`.
 * With `--to disk` the least that can be: the same bytes hashed, written to files and synced by the program itself.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "../../../customer/index.ts";
import { eachAtOnce, makeBlobs, mibPerSecond, nameOf } from "../support/blobs.ts";
import { memoryOf, resetPeak } from "../support/process-stat.ts";
import { measureRun, startServer, temporaryDirectory } from "../support/processes.ts";

const { values } = parseArgs({
  options: {
    to: { type: "string", default: "manyhands" },
    mib: { type: "string", default: "1024" },
    blobs: { type: "string", default: "1024" },
    "at-once": { type: "string", default: "4" },
  },
});
const amount = { mib: Number(values.mib), blobs: Number(values.blobs) };
const atOnce = Number(values["at-once"]);

await measureRun(async () => {
  // Made before, so that making them is not measured.
  const blobs = [...makeBlobs(amount)];
  const bytes = blobs.reduce((sum, { length }) => sum + length, 0);
  if (values.to === "disk")
    return { value: mibPerSecond(bytes, await timed(blobs, toDisk(await temporaryDirectory()))) };
  const server = await startServer();
  const hands = await connect(server.url, { token: server.token });
  const { rssBytes } = await memoryOf(server.pid);
  await resetPeak(server.pid);
  const ms = await timed(blobs, async (blob) => void (await hands.put(blob)));
  const { peakBytes } = await memoryOf(server.pid);
  hands.close();
  return { value: mibPerSecond(bytes, ms), serverGrowthMib: Math.round((peakBytes - rssBytes) / 1024 ** 2) };
});

async function timed(blobs: Uint8Array[], work: (blob: Uint8Array) => Promise<void>): Promise<number> {
  const started = performance.now();
  await eachAtOnce(blobs, atOnce, work);
  return performance.now() - started;
}

function toDisk(directory: string): (blob: Uint8Array) => Promise<void> {
  return async (blob) => {
    const file = await open(join(directory, nameOf(blob).sha256), "w");
    await file.writeFile(blob);
    await file.sync();
    await file.close();
  };
}
