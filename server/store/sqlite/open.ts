import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "../../../system/sqlite.ts";
import { makeFolder } from "../../make-folder.ts";
import type { Damage } from "../sql/checksum.ts";
import { SqliteDatabase } from "./database.ts";
import type { EmbeddedStore } from "./embedded-store.ts";
import { openError } from "./failure.ts";
import { noQuotas, type Quotas } from "../quotas.ts";
import { migrate } from "./schema.ts";
import { SqliteStore } from "./sqlite-store.ts";

interface SqliteStoreOptions {
  /** Quotas of each customer; absent: {@link noQuotas}. */
  readonly quotas?: Quotas;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  /** Outcomes after which a job's low-water mark is written again. */
  readonly markEvery?: number;
  /** Called with damaged data that was read. */
  readonly onDamage?: (found: Damage) => void;
}

/** The database's name in the data directory. */
export const databaseName = "manyhands.sqlite";

/** Time to wait until another process releases the directory: during a restart the new server overlaps with the old. */
const lockWaitMs = 500;

// Checkpoints come every 4,000 pages (16 MiB, 20-30 ms) instead of 1,000, so that a frequently written page is copied less
// often, and three of four flushes are spared.
// EXCLUSIVE refuses a second process and spares WAL its shared-memory file; the end of the process, even by kill -9, releases
// the lock. synchronous=FULL flushes the log at every commit, so that acknowledged results are on disk.
const filePragmas = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cache_size = -32768;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA wal_autocheckpoint = 4000;
`;

/**
 * Opens the store in a data directory, and makes a missing directory.
 * @throws PlatformError DATA_DIRECTORY when the directory cannot be written, another server uses it, a newer Manyhands made it,
 * or its content is no database of Manyhands
 */
export async function openSqliteStore(
  directory: string,
  options: SqliteStoreOptions = {},
): Promise<EmbeddedStore> {
  let connection: DatabaseSync | undefined;
  try {
    makeFolder(directory);
    const path = join(directory, databaseName);
    // SQLite opens even a read-only file, and fails later with an "I/O error".
    const isNew = !existsSync(path);
    accessSync(isNew ? directory : path, constants.R_OK | constants.W_OK);
    connection = new DatabaseSync(path, { timeout: lockWaitMs });
    // Has to come before the first table: see `giveBack`.
    if (isNew) connection.exec("PRAGMA auto_vacuum = INCREMENTAL");
    connection.exec(filePragmas);
    // Takes the write lock once, so that a directory in use or read-only is refused at the start, not at the first job.
    connection.exec("BEGIN IMMEDIATE; COMMIT");
    const db = new SqliteDatabase(connection);
    migrate(db, directory);
    return makeStore(db, options);
  } catch (error) {
    if (connection?.isOpen) connection.close();
    throw openError(directory, error);
  }
}

/** Rewrites the database of a data directory without free pages. @throws PlatformError DATA_DIRECTORY, STORE_FULL */
export function compactDatabase(directory: string): void {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(join(directory, databaseName), { timeout: lockWaitMs });
    // The setting is applied by VACUUM, and not in the mode of a log.
    connection.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE");
    migrate(new SqliteDatabase(connection), directory);
    connection.exec("PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
  } catch (error) {
    throw openError(directory, error);
  } finally {
    connection?.close();
  }
}

/** A store in memory, for tests and for runs without a server. */
export async function openMemoryStore(options: SqliteStoreOptions = {}): Promise<EmbeddedStore> {
  return openStoreOn(new SqliteDatabase(new DatabaseSync(":memory:")), options);
}

/** The store in a database that is open. */
export function openStoreOn(db: SqliteDatabase, options: SqliteStoreOptions = {}): EmbeddedStore {
  migrate(db, ":memory:");
  return makeStore(db, options);
}

/**
 * A mark every 4,096 outcomes costs an iteration over the claims (some thousand numbers) and no write: the commit writes the
 * job's row anyway.
 */
function makeStore(
  db: SqliteDatabase,
  { clock = Date.now, markEvery = 4096, quotas = noQuotas, onDamage }: SqliteStoreOptions,
): EmbeddedStore {
  return new SqliteStore(db, { clock, markEvery, quotas, onDamage });
}
