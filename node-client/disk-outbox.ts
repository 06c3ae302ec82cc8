import { randomUUID } from "node:crypto";
import { copyFileSync, existsSync, linkSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import * as v from "valibot";
import type { ClientPorts, Outbox, OutboxEntry } from "../shared/client/ports.ts";
import { largeOutput } from "../shared/client/session/delivery.ts";
import { MessagePack } from "../shared/wire/messagepack.ts";
import { messagePackBounds } from "../shared/wire/messagepack-walk.ts";
import type { LeaseKey } from "../shared/wire/protocol.ts";
import { readWhole, writeAndRename } from "./cache-files.ts";
import type { ClientDirectory } from "./client-directory.ts";

/** Entries are the client's own, so only memory bounds them. */
const entriesInMessagePack = new MessagePack(messagePackBounds.resultPack);

/** Most bytes of kept results. Results beyond are delivered as well, but would not survive a restart. */
const defaultMaxBytes = 2 * 1024 ** 3;

/** A large output's file. As pages of the database its bytes would be written, copied and read again, and nothing else could run meanwhile. */
type OutputFile = v.InferOutput<typeof outputFileSchema>;
const outputFileSchema = v.object({
  name: v.pipe(v.string(), v.uuid()),
  bytes: v.number(),
  /** A power cut may leave a file of the right size with other bytes. */
  crc32: v.number(),
});

/** Finished results that the server has not acknowledged: in the client's own database, large outputs in files beside it. */
export function createDiskOutbox(
  directory: ClientDirectory,
  log: ClientPorts["log"],
  maxBytes = defaultMaxBytes,
): Outbox {
  const { database, outputs } = directory;
  const insert = database.prepare("INSERT OR REPLACE INTO outbox VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM outbox WHERE key = ?");
  /** Size of each kept entry with its file. */
  const kept = new Map<string, { readonly size: number; readonly file: OutputFile | undefined }>();
  let bytes = 0;

  return {
    async load() {
      adopt(directory, log);
      // A client that was stopped and started again reads results that it has counted before.
      kept.clear();
      bytes = 0;
      const entries: OutboxEntry[] = [];
      for (const { key, entry } of rowsOf(database)) {
        try {
          const { file, ...read } = await readEntry(entry, outputs);
          entries.push(read);
          keep(key, entry.length + (file?.bytes ?? 0), file);
        } catch (error) {
          remove.run(key);
          log("warn", `A damaged entry of the outbox was dropped: ${String(error)}`, { key });
        }
      }
      // A client that is killed may leave a file without its entry.
      const named = new Set([...kept.values()].map(({ file }) => file?.name));
      for (const name of readdirSync(outputs)) if (!named.has(name)) removeFile(outputs, name);
      return entries;
    },
    async save(entries) {
      const saved: { key: string; encoded: Uint8Array; size: number; file: OutputFile | undefined }[] = [];
      let total = bytes;
      try {
        for (const entry of entries) {
          const large = largeOutput(entry.result);
          const file = large && { name: randomUUID(), bytes: large.length, crc32: crc32(large) };
          const encoded = entriesInMessagePack.encode(file ? withFile(entry, file) : entry);
          const size = encoded.length + (file?.bytes ?? 0);
          if (total + size > maxBytes) continue;
          total += size;
          saved.push({ key: keyOf({ job: entry.job, ...entry.result }), encoded, size, file });
          if (file) await writeAndRename(large, join(outputs, `${file.name}.part`), join(outputs, file.name));
        }
        transaction(database, () => {
          for (const { key, encoded } of saved) insert.run(key, encoded);
        });
      } catch (error) {
        for (const { file } of saved) if (file) removeFile(outputs, file.name);
        throw error;
      }
      for (const { key, size, file } of saved) keep(key, size, file);
      const left = entries.length - saved.length;
      if (left > 0) log("warn", "The outbox is full: results are kept in memory only.", { results: left });
    },
    async remove(keys) {
      await Promise.resolve();
      transaction(database, () => {
        for (const key of keys) remove.run(keyOf(key));
      });
      for (const key of keys) forget(keyOf(key));
    },
  };

  /** Notes what the database has. */
  function keep(key: string, size: number, file: OutputFile | undefined): void {
    forget(key);
    bytes += size;
    kept.set(key, { size, file });
  }

  function forget(key: string): void {
    const { size = 0, file } = kept.get(key) ?? {};
    bytes -= size;
    kept.delete(key);
    if (file) removeFile(outputs, file.name);
  }
}

function keyOf({ job, index, attempt }: LeaseKey): string {
  return `${job} ${index} ${attempt}`;
}

function removeFile(outputs: string, name: string): void {
  rmSync(join(outputs, name), { force: true });
}

/** The entry with its file. Without an output it is no result to a client of an earlier version. */
function withFile({ job, result }: OutboxEntry, file: OutputFile): unknown {
  return { job, result: { ...result, outcome: { ...result.outcome, output: undefined } }, file };
}

/** @throws Error for an entry that is damaged, or whose file is; the core checks entries before it sends them */
async function readEntry(
  encoded: Uint8Array,
  outputs: string,
): Promise<OutboxEntry & { readonly file?: OutputFile }> {
  const entry = entriesInMessagePack.decode(encoded) as OutboxEntry & { readonly file?: unknown };
  if (entry.file === undefined) return entry as OutboxEntry;
  const file = v.parse(outputFileSchema, entry.file);
  const output = await readWhole(join(outputs, file.name));
  if (output?.length !== file.bytes || crc32(output) !== file.crc32)
    throw new Error(`${file.name} is not the file of ${file.bytes} bytes that was written`);
  const outcome = { ...entry.result.outcome, output } as OutboxEntry["result"]["outcome"];
  return { job: entry.job, result: { ...entry.result, outcome }, file };
}

function rowsOf(database: DatabaseSync): { key: string; entry: Uint8Array }[] {
  return database.prepare("SELECT key, entry FROM outbox").all() as { key: string; entry: Uint8Array }[];
}

/** Takes over undelivered results of clients that are gone. */
function adopt(directory: ClientDirectory, log: ClientPorts["log"]): void {
  const { database, outputs } = directory;
  for (const other of directory.abandoned()) {
    const rows = rowsOf(other.database);
    if (rows.length === 0) continue;
    // Both directories have the same results for a moment, so that the end of this process cannot lose them: the server takes a result
    // once.
    for (const name of readdirSync(other.outputs)) share(join(other.outputs, name), join(outputs, name));
    transaction(database, () => {
      const insert = database.prepare("INSERT OR IGNORE INTO outbox VALUES (?, ?)");
      for (const { key, entry } of rows) insert.run(key, entry);
    });
    other.database.exec("DELETE FROM outbox");
    for (const name of readdirSync(other.outputs)) removeFile(other.outputs, name);
    log("info", "Took over the undelivered results of a client that is gone.", { results: rows.length });
  }
}

/** Gives a file a further name, or copies it where the file system has no links. What an earlier, cut attempt has left is the same. */
function share(file: string, name: string): void {
  if (existsSync(name)) return;
  try {
    linkSync(file, name);
  } catch {
    copyFileSync(file, name);
  }
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
