import { finish } from "../sql/database.ts";
import type { SqliteDatabase } from "./database.ts";

/** Free pages that the database keeps for the next writes: 8 MiB. */
const keptPages = 2048;
/** Pages moved between two readings of the clock. */
const pages = 16;
const strideMs = 3;

/**
 * Gives free pages of the database back to the file system for a few milliseconds: pages from the end of the file move to free places, and
 * a checkpoint cuts the end off. Without effect in a database that an earlier version made: `manyhands compact` makes it over.
 * @returns the number of pages given back, and whether there are more
 */
export function giveBack(db: SqliteDatabase): { freed: number; more: boolean } {
  if (read(db, "auto_vacuum") === 0) return { freed: 0, more: false };
  const until = performance.now() + strideMs;
  const before = read(db, "freelist_count");
  let free = before;
  while (free > keptPages && performance.now() < until) {
    db.exec(`PRAGMA incremental_vacuum(${pages})`);
    free -= pages;
  }
  return { freed: before - free, more: free > keptPages };
}

function read(db: SqliteDatabase, pragma: "auto_vacuum" | "freelist_count"): number {
  return finish(db.get<Record<string, number>>(`PRAGMA ${pragma}`))![pragma]!;
}
