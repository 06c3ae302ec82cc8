// Fetches blobs through a shared cache directory as a client does; the test runs several of these at once. Arguments: the
// server's address, the cache directory, then hash:size of each blob. Prints `ready`, waits for a line, then prints the fetched
// bytes.
import { once } from "node:events";
import { createHash } from "node:crypto";
import { createBlobTransfer } from "../../node-client/blob-transfer.ts";
import { openDiskCache, partialDirectory } from "../../node-client/disk-cache.ts";
import { fetchOnce } from "../../node-client/fetch-once.ts";
import type { Sha256 } from "../../shared/ids.ts";

const [url = "", directory = "", ...names] = process.argv.slice(2);
const cache = await openDiskCache({ directory, log: () => undefined });
const transfer = fetchOnce(
  createBlobTransfer(() => url),
  {
    cache,
    lockDirectory: partialDirectory(directory),
    quotaBytes: 1 << 30,
  },
);
process.stdout.write("ready\n");
await once(process.stdin, "data");
const got = await Promise.all(
  names.map(async (text) => {
    const [sha256 = "", size] = text.split(":");
    const bytes = await transfer.fetch({ sha256: sha256 as Sha256, size: Number(size) }, undefined, "ticket");
    return createHash("sha256").update(bytes).digest("hex");
  }),
);
process.stdout.write(`got ${got.join(",")}\n`);
process.exit(0);
