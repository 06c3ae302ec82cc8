import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { PlatformError } from "../../shared/errors.ts";
import { compactDatabase, databaseName } from "../store/sqlite/open.ts";

/**
 * Makes the database of a data directory over, without free space, and so that a server gives space back by itself from then on. No server may
 * use the directory; the disk needs room for the database once more.
 * @returns its bytes before and after
 * @throws PlatformError DATA_DIRECTORY, STORE_FULL
 */
export function compact(data: string): { before: number; after: number } {
  const path = join(data, databaseName);
  if (!existsSync(path))
    throw new PlatformError("DATA_DIRECTORY", `${data} is no data directory: it has no ${databaseName}.`);
  const before = statSync(path).size;
  compactDatabase(data);
  return { before, after: statSync(path).size };
}
