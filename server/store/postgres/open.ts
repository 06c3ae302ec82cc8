import { hostname } from "node:os";
import { messageOf, PlatformError } from "../../../shared/errors.ts";
import { noQuotas, type Quotas } from "../quotas.ts";
import type { SharedStore } from "../shared-store.ts";
import type { Damage } from "../sql/checksum.ts";
import { Connection, type Target } from "./connection.ts";
import { PostgresStore } from "./postgres-store.ts";
import { migrate } from "./schema.ts";

interface PostgresStoreOptions {
  /** Quotas of each customer; absent: {@link noQuotas}. */
  readonly quotas?: Quotas;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  /** Outcomes after which the set of a job's ended tasks is saved again. */
  readonly markEvery?: number;
  /** Name of this server for the others and for the status page. */
  readonly name?: string;
  readonly urls?: readonly string[];
  /** Time after which a silent server counts as dead, by PostgreSQL's clock; the same for all servers. */
  readonly timeToLiveMs?: number;
  /** Called with damaged data that was read. */
  readonly onDamage?: (found: Damage) => void;
}

/** A server that does not move in the middle of a transaction loses its locks after this long. */
const idleInTransactionMs = 5000;

/**
 * Opens the store in a database of PostgreSQL 15 or later, and makes or migrates its tables.
 * @param url - `postgres://user@host:port/database`; what it leaves open is as in PGHOST, PGUSER, PGPASSWORD, PGDATABASE and so on
 * @throws PlatformError DATA_DIRECTORY when the database cannot be reached or used, or a newer Manyhands made it
 */
export async function openPostgresStore(
  url: string,
  options: PostgresStoreOptions = {},
): Promise<SharedStore> {
  const { clock = Date.now, markEvery = 4096, quotas = noQuotas } = options;
  const { name = hostname(), urls = [], timeToLiveMs = 5000, onDamage = () => {} } = options;
  const target: Target = {
    url,
    settings: { idle_in_transaction_session_timeout: `${idleInTransactionMs}` },
  };
  const store = new PostgresStore(target, {
    clock,
    markEvery,
    quotas,
    name,
    urls,
    timeToLiveMs,
    onDamage,
  });
  try {
    const connection = await Connection.open(target);
    try {
      await migrate(connection);
    } finally {
      await connection.close();
    }
    await store.start();
    return store;
  } catch (error) {
    await store.close();
    if (error instanceof PlatformError) throw error;
    throw new PlatformError(
      "DATA_DIRECTORY",
      `The database ${withoutPassword(url)} cannot be used: ${messageOf(error)}. Expected PostgreSQL 15 or later at such an address, and a user who may make tables there.`,
      error,
    );
  }
}

/** The address for people: without the password, wherever the URL has one. */
export function withoutPassword(url: string): string {
  try {
    const { protocol, username, host, pathname } = new URL(url);
    return `${protocol}//${username === "" ? "" : `${username}@`}${host}${pathname}`;
  } catch {
    return "that --store names";
  }
}
