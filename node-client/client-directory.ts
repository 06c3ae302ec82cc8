import { chmodSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { ClientPorts } from "../shared/client/ports.ts";
import { parseServerAddress } from "../shared/server-address.ts";
import { identitySchema, type Identity } from "../shared/wire/identity.ts";
import { makeDirectory } from "../system/make-directory.ts";
import { DatabaseSync } from "../system/sqlite.ts";

const fileName = "client.sqlite";
/** After an absence of this length another client delivers a client's results. */
const abandonedMs = 60_000;
const maxClients = 4096;

interface Kept {
  /** Addresses, with the server that welcomed the client last in front. */
  readonly servers: readonly string[];
  readonly identity: Identity | undefined;
}

/** Files of one client: its database, and outputs beside it. */
export interface ClientFiles {
  readonly database: DatabaseSync;
  /** Directory of undelivered outputs that are too large for the database. */
  readonly outputs: string;
}

/** A directory that belongs to this process for its lifetime. */
export interface ClientDirectory extends ClientFiles {
  /** Servers that an earlier client of this directory kept, found by any of their addresses. */
  kept(servers: readonly string[]): Kept;
  /** Keeps the addresses of servers and the identity that they gave this client; the first of them welcomed it. */
  keep(servers: readonly string[], identity: Identity): void;
  /** Files of clients that ended with undelivered results; each database is locked while it is open. */
  abandoned(): Iterable<ClientFiles>;
  close(): void;
}

/**
 * Claims a directory `clients/<n>` under the cache directory: the identities of one client (one a server) and its undelivered results.
 * The claim is SQLite's exclusive lock, which the system releases at any end of the process. A client that was killed and started again
 * is therefore the same client, and two clients at once are two (also on a file system shared by several machines).
 */
export function claimClientDirectory(cacheDirectory: string, log: ClientPorts["log"]): ClientDirectory {
  const root = join(cacheDirectory, "clients");
  makeDirectory(root);
  for (let n = 1; n <= maxClients; n++) {
    const files = claim(join(root, String(n)), log);
    if (!files) continue;
    const { database } = files;
    return {
      ...files,
      kept: (servers) => keptOf(database, servers),
      keep: (servers, identity) => keep(database, servers, identity),
      abandoned: () => abandoned(root, String(n), log),
      close: () => database.close(),
    };
  }
  throw new Error(`All ${maxClients} client directories under ${root} are in use.`);
}

/** Opens and locks one directory's database; undefined when another process has it. */
function claim(directory: string, log: ClientPorts["log"]): ClientFiles | undefined {
  const outputs = join(directory, "outputs");
  makeDirectory(outputs, 0o700);
  const path = join(directory, fileName);
  try {
    return { database: openLocked(path), outputs };
  } catch (error) {
    if (isBusy(error)) return undefined;
    if (!isDamaged(error)) throw error;
    const aside = `${path}.damaged-${Date.now()}`;
    renameSync(path, aside);
    log("warn", "The outbox was damaged and is set aside; its results will be computed again.", { aside });
    return { database: openLocked(path), outputs };
  }
}

function openLocked(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // The log of SQLite takes the mode of its database.
    chmodSync(path, 0o600);
    // NORMAL keeps all results when the process is killed, and never damages the file. A power cut may lose results, which are
    // computed again; a sync for each would cost more.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(`BEGIN IMMEDIATE;
      DROP TABLE IF EXISTS identity;
      CREATE TABLE IF NOT EXISTS identities (server TEXT PRIMARY KEY, client TEXT NOT NULL, secret TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS servers (server TEXT PRIMARY KEY, known TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS outbox (key TEXT PRIMARY KEY, entry BLOB NOT NULL) STRICT, WITHOUT ROWID;
      COMMIT`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** An identity is of the server that gave it or took it: another server, which that server names, cannot replace its identity. */
function keep(database: DatabaseSync, servers: readonly string[], { client, secret }: Identity): void {
  const [server = ""] = servers;
  database.exec("BEGIN IMMEDIATE");
  database.prepare("INSERT OR REPLACE INTO identities VALUES (?, ?, ?)").run(server, client, secret);
  // The row with the highest number is the newest.
  database.prepare("INSERT OR REPLACE INTO servers VALUES (?, ?)").run(server, JSON.stringify(servers));
  database.exec("COMMIT");
}

function keptOf(database: DatabaseSync, given: readonly string[]): Kept {
  const rows = database.prepare("SELECT server, known FROM servers ORDER BY rowid DESC").all();
  const lists = new Map(rows.map(({ server, known }) => [String(server), addressesIn(String(known))]));
  // The iteration includes the addresses that it adds.
  const related = new Set(given);
  for (const server of related) for (const each of lists.get(server) ?? []) related.add(each);
  const last = [...lists.keys()].find((server) => related.has(server));
  const servers = last === undefined ? [] : [...new Set([last, ...(lists.get(last) ?? [])])];
  const find = database.prepare("SELECT client, secret FROM identities WHERE server = ?");
  for (const server of new Set([...servers, ...given])) {
    const stored = v.safeParse(identitySchema, find.get(server));
    if (stored.success) return { servers, identity: stored.output };
  }
  return { servers, identity: undefined };
}

/** Addresses are read again as at their arrival, because anybody may have changed the file. */
function addressesIn(text: string): string[] {
  try {
    return v.parse(v.array(v.string()), JSON.parse(text)).map(parseServerAddress);
  } catch {
    return [];
  }
}

function* abandoned(root: string, own: string, log: ClientPorts["log"]): Iterable<ClientFiles> {
  for (const name of readdirSync(root)) {
    if (name === own || !/^\d+$/.test(name)) continue;
    const path = join(root, name, fileName);
    const touched = Math.max(changedAt(path), changedAt(`${path}-wal`));
    if (touched === 0 || Date.now() - touched < abandonedMs) continue;
    const files = claim(join(root, name), log);
    if (!files) continue;
    try {
      yield files;
    } finally {
      files.database.close();
    }
  }
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isBusy(error: unknown): boolean {
  return /locked|busy/i.test(String(error));
}

function isDamaged(error: unknown): boolean {
  return /malformed|not a database|corrupt/i.test(String(error));
}
