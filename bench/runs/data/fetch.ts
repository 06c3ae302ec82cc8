/**
 * MiB/s of blobs fetched by the Node client's transfer code, verified by hash:
 * `node bench/runs/data/fetch.ts --from manyhands|nginx [--mib 1024] [--blobs 1024] [--at-once 4]`.
 * The same loop and files in both cases: nginx serves the server's own blob directory. `--write`: each blob is written to a file, too.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createBlobTransfer } from "../../../node-client/blob-transfer.ts";
import { DataReference, type BlobName } from "../../../shared/data-reference.ts";
import { connectClient } from "../support/bare-client.ts";
import { eachAtOnce, makeBlobs, mibPerSecond, nameOf } from "../support/blobs.ts";
import { cpuProfile, temporaryDirectory } from "../support/children.ts";
import { costOf } from "../support/cost.ts";
import { startNginx } from "../support/nginx.ts";
import { connectTo, startServer } from "../support/platform.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "manyhands" },
    mib: { type: "string", default: "1024" },
    blobs: { type: "string", default: "1024" },
    // Number of fetches under way in a client that precaches (shared/client/data/).
    "at-once": { type: "string", default: "4" },
    write: { type: "boolean", default: false },
    "server-prof": { type: "string" },
  },
});

const server = await startServer({ nodeFlags: cpuProfile(values["server-prof"]) });
const hands = await connectTo(server);
const names: BlobName[] = [];
for (const bytes of makeBlobs({ mib: Number(values.mib), blobs: Number(values.blobs) })) {
  names.push(nameOf(bytes));
  await hands.put(bytes);
}
const from = values.from === "nginx" ? await startNginx(join(server.data, "blobs")) : server;
const ticket = await joinAndBeAsked();
const directory = values.write ? temporaryDirectory() : undefined;
const transfer = createBlobTransfer(() => from.url);
const { ms, ...cost } = await costOf(from.pid, () =>
  eachAtOnce(names, Number(values["at-once"]), async (name) => {
    const fetched = await transfer.fetch(name, undefined, ticket);
    if (directory) await writeFile(join(directory, name.sha256), fetched);
  }),
);
if (values["server-prof"]) await server.stop();
const bytes = names.reduce((sum, { size }) => sum + size, 0);
report(mibPerSecond(bytes, ms), cost);

/** Joins as a client does, for the ticket that blob transfers carry, and is asked to fetch the blobs, which lets it read them. */
function joinAndBeAsked(): Promise<string> {
  return new Promise((resolve, reject) => {
    let welcomed = "";
    connectClient(server.url, server, {
      received: (message) => {
        if (message.type === "welcome") {
          welcomed = message.ticket;
          hands.precache(names.map(({ sha256, size }) => new DataReference(sha256, size)));
        }
        if (message.type === "precache") resolve(welcomed);
      },
      lost: (why) => reject(new Error(why)),
    });
  });
}
