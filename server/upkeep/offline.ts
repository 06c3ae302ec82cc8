import { resolve, join } from "node:path";
import { PlatformError } from "../../shared/errors.ts";
import type { BackupProgress, ScrubProgress } from "../../shared/wire/rest/upkeep.ts";
import { openBlobs } from "../blobs/open.ts";
import { openSqliteStore } from "../store/sqlite/open.ts";
import { existsSync } from "node:fs";
import { databaseName } from "../store/sqlite/open.ts";
import { describeDamage } from "../store/sql/checksum.ts";
import { Upkeep } from "./upkeep.ts";

/** Options of a server that is not started yet. */
export interface DataPlace {
  /** The data directory. */
  readonly data: string;
  /** The place of the blobs, as of `--blobs`; absent: in the data directory. */
  readonly blobs?: string;
}

/** Verifies a data directory that no server uses. @param tell - called with a sentence about each damaged record */
export function scrubDirectory(
  data: DataPlace,
  tell: (sentence: string) => void,
  onProgress: (progress: ScrubProgress) => void,
): Promise<ScrubProgress> {
  return withUpkeep(data, tell, (upkeep) => upkeep.scrub({ onProgress }));
}

/** Writes a backup of a data directory that no server uses. */
export function backUpDirectory(
  data: DataPlace,
  target: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<BackupProgress> {
  return withUpkeep(
    data,
    () => {},
    (upkeep) => upkeep.backUp(resolve(target), { onProgress }),
  );
}

/** @throws PlatformError DATA_DIRECTORY when a server uses the directory, or there is none */
async function withUpkeep<T>(
  { data, blobs: place }: DataPlace,
  tell: (sentence: string) => void,
  use: (upkeep: Upkeep) => Promise<T>,
): Promise<T> {
  if (!existsSync(join(data, databaseName)))
    throw new PlatformError(
      "DATA_DIRECTORY",
      `${data} is no data directory: it has no ${databaseName}. Data that a server keeps in PostgreSQL is verified by that server, and backed up with pg_dump.`,
    );
  let damagedRecords = 0;
  const store = await openSqliteStore(data, {
    onDamage: (damage) => {
      damagedRecords++;
      tell(describeDamage(damage));
    },
  });
  const options = { quotaBytes: Infinity, keepMs: Infinity, store };
  const blobs = await openBlobs(place, data, options).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  try {
    await blobs.readDamaged();
    return await use(new Upkeep({ store, blobs, dataDirectory: data, damagedRecords: () => damagedRecords }));
  } finally {
    await blobs.close();
    await store.close();
  }
}
