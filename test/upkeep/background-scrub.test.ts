import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Readable } from "node:stream";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { openBlobDirectory } from "../../server/blobs/blob-store.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import { scrubInBackground } from "../../server/upkeep/background-scrub.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { sha256 } from "../support/rest.ts";

test("[ROT-7] a server verifies what it keeps by itself, and then again in a month", async () => {
  const root = await temporaryDirectory();
  const store = await openMemoryStore();
  const blobs = openBlobDirectory(root, { quotaBytes: 1e9, keepMs: 1e9, store });
  onTestFinished(async () => {
    await blobs.close();
    await store.close();
  });
  const bytes = randomBytes(3000);
  const name = sha256(bytes) as Parameters<typeof blobs.verify>[0];
  await blobs.write(name, Readable.from([bytes]), { customer: "ada" });
  await writeFile(join(root, name.slice(0, 2), name), randomBytes(3000));

  const logged: { msg: string; damagedBlobs?: number }[] = [];
  const log = pino(
    { level: "info" },
    { write: (line: string) => void logged.push(JSON.parse(line) as (typeof logged)[number]) },
  );
  const end = scrubInBackground({
    store,
    blobs,
    damagedRecords: () => 0,
    bytesPerSecond: 1e9,
    restMs: 5,
    log,
  });
  onTestFinished(end);
  await expect.poll(() => logged).toMatchObject([{ damagedBlobs: 1, blobs: 1, bytes: 3000 }]);
  expect([...blobs.damaged]).toEqual([name]);
  // Another pass would take a few milliseconds.
  await wait(100);
  expect(logged).toHaveLength(1);
});
