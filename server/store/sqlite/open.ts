import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeFolder } from "../../make-folder.ts";
import type { Store } from "../store.ts";
import { Database } from "./database.ts";
import { openError } from "./failure.ts";
import { migrate } from "./schema.ts";
import { SqliteStore } from "./sqlite-store.ts";

/** What a test may set. */
interface SqliteStoreOptions {
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  /** Outcomes after which a job's low-water mark is written again. */
  readonly markEvery?: number;
}

/** The database's name in the data directory. */
export const databaseName = "manyhands.sqlite";

/**
 * How long to wait for another process to let go of the directory: a server that is being restarted overlaps with the
 * one that goes down.
 */
const lockWaitMs = 500;

// Checkpoints every 4,000 pages (16 MiB, 20-30 ms) instead of 1,000: a page that is written often is copied less often, and
// three of four flushes are spared. 500 tasks a commit: 3.6 µs of processor time a task instead of 3.8-4.1; 16,000 pages no
// better. Pages of 8 or 16 KiB: no better at 500 a commit, and 15-25 % dearer at one.
// EXCLUSIVE refuses a second process, whose end (kill -9 included) gives the lock back, and spares WAL its shared-memory
// file. synchronous=FULL flushes the log at every commit: acknowledged is on disk.
const filePragmas = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cache_size = -32768;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA wal_autocheckpoint = 4000;
`;

/**
 * Opens the store in a data directory, which is made when it is not there.
 * @throws PlatformError DATA_DIRECTORY when it cannot be written, another server uses it, a newer Manyhands made it, or
 * what is in it is no database of Manyhands
 */
export async function openSqliteStore(directory: string, options: SqliteStoreOptions = {}): Promise<Store> {
  let connection: DatabaseSync | undefined;
  try {
    makeFolder(directory);
    const path = join(directory, databaseName);
    // SQLite opens a file that it may not write all the same, and fails later with an "I/O error".
    accessSync(existsSync(path) ? path : directory, constants.R_OK | constants.W_OK);
    connection = new DatabaseSync(path, { timeout: lockWaitMs });
    connection.exec(filePragmas);
    // Takes the write lock now, so that a directory in use or read-only is refused at start, not at the first job.
    connection.exec("BEGIN IMMEDIATE; COMMIT");
    const db = new Database(connection);
    migrate(db, directory);
    return makeStore(db, options);
  } catch (error) {
    if (connection?.isOpen) connection.close();
    throw openError(directory, error);
  }
}

/** A store that lives as long as the process: for tests and for runs without a server. */
export async function openMemoryStore(options: SqliteStoreOptions = {}): Promise<Store> {
  const db = new Database(new DatabaseSync(":memory:"));
  migrate(db, ":memory:");
  return makeStore(db, options);
}

/**
 * A mark every 4,096 outcomes costs a look at the claims (some thousand numbers) and nothing on disk: the job's row is
 * written with the commit anyway.
 */
function makeStore(db: Database, { clock = Date.now, markEvery = 4096 }: SqliteStoreOptions): Store {
  return new SqliteStore(db, { clock, markEvery });
}
