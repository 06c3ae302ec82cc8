import type { DatabaseSync } from "node:sqlite";
import type { ClientPorts, Outbox, OutboxEntry } from "../shared/client/ports.ts";
import type { LeaseKey } from "../shared/wire/protocol.ts";
import type { ClientDirectory } from "./client-directory.ts";
import { MessagePack } from "../shared/wire/messagepack.ts";
import { messagePackBounds } from "../shared/wire/messagepack-walk.ts";

/** Entries are the client's own, so only memory bounds them. */
const entriesInMessagePack = new MessagePack(messagePackBounds.resultPack);

/** Most bytes of kept results. Results beyond are delivered as well, but would not survive a restart. */
const defaultMaxBytes = 2 * 1024 ** 3;

/** Finished results that the server has not acknowledged, in the client's own database. */
export function createDiskOutbox(
  directory: ClientDirectory,
  log: ClientPorts["log"],
  maxBytes = defaultMaxBytes,
): Outbox {
  const { database } = directory;
  const insert = database.prepare("INSERT OR REPLACE INTO outbox VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM outbox WHERE key = ?");
  /** Size of each kept entry. */
  const sizes = new Map<string, number>();
  let bytes = 0;

  return {
    load() {
      adopt(directory, log);
      // A client that was stopped and started again reads results that it has counted before.
      sizes.clear();
      bytes = 0;
      const entries = readEntries(database, log, (key, size) => {
        sizes.set(key, size);
        bytes += size;
      });
      return Promise.resolve(entries);
    },
    async save(entries) {
      await Promise.resolve();
      let left = 0;
      transaction(database, () => {
        for (const entry of entries) {
          const encoded = entriesInMessagePack.encode(entry);
          const key = keyOf({ job: entry.job, ...entry.result });
          if (bytes + encoded.length > maxBytes) {
            left++;
            continue;
          }
          insert.run(key, encoded);
          bytes += encoded.length - (sizes.get(key) ?? 0);
          sizes.set(key, encoded.length);
        }
      });
      if (left > 0) log("warn", "The outbox is full: results are kept in memory only.", { results: left });
    },
    async remove(keys) {
      await Promise.resolve();
      transaction(database, () => {
        for (const key of keys.map(keyOf)) {
          remove.run(key);
          bytes -= sizes.get(key) ?? 0;
          sizes.delete(key);
        }
      });
    },
  };
}

function keyOf({ job, index, attempt }: LeaseKey): string {
  return `${job} ${index} ${attempt}`;
}

/** Takes over undelivered results of clients that are gone. */
function adopt(directory: ClientDirectory, log: ClientPorts["log"]): void {
  const { database } = directory;
  for (const other of directory.abandoned()) {
    const rows = other.prepare("SELECT key, entry FROM outbox").all() as { key: string; entry: Uint8Array }[];
    if (rows.length === 0) continue;
    // The two databases have the same results for a moment, so that the end of this process cannot lose them: the server takes a result
    // once.
    transaction(database, () => {
      const insert = database.prepare("INSERT OR IGNORE INTO outbox VALUES (?, ?)");
      for (const { key, entry } of rows) insert.run(key, entry);
    });
    other.exec("DELETE FROM outbox");
    log("info", "Took over the undelivered results of a client that is gone.", { results: rows.length });
  }
}

function readEntries(
  database: DatabaseSync,
  log: ClientPorts["log"],
  found: (key: string, size: number) => void,
): OutboxEntry[] {
  const entries: OutboxEntry[] = [];
  const remove = database.prepare("DELETE FROM outbox WHERE key = ?");
  for (const row of database.prepare("SELECT key, entry FROM outbox").all()) {
    const { key, entry } = row as { key: string; entry: Uint8Array };
    try {
      // The core checks entries before it sends them.
      entries.push(entriesInMessagePack.decode(entry) as OutboxEntry);
      found(key, entry.length);
    } catch (error) {
      remove.run(key);
      log("warn", `A damaged entry of the outbox was dropped: ${String(error)}`, { key });
    }
  }
  return entries;
}

function transaction(database: DatabaseSync, action: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    action();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}
