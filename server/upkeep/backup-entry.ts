import { createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { finished } from "node:stream/promises";
import { parentPort, workerData } from "node:worker_threads";
import { PlatformError, messageOf, type ErrorBody } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { version } from "../../shared/version.ts";
import type { BackupProgress } from "../../shared/wire/rest/upkeep.ts";
import { DatabaseSync } from "../../system/sqlite.ts";
import { readHash } from "../store/sql/columns.ts";
import { copyFile, syncFolder } from "./copy-file.ts";
import { blobPath, blobsIn, manifestName, type Manifest } from "./manifest.ts";
import { hashFile } from "./hash-file.ts";

/** The second part of a backup: the database is copied already. */
export interface BackupRequest {
  readonly target: string;
  /** The copy of the database, under a name of its own. */
  readonly copy: string;
  /** Name of the database in the backup. */
  readonly name: string;
  readonly dataDirectory: string;
  readonly blobDirectory: string;
}

export type BackupMessage = { readonly progress: BackupProgress } | { readonly refusal: ErrorBody };

/** Secrets that outlive a restart: those of clients, and of clients of a rendezvous file. */
const files = ["identity-key", "rendezvous-token"];

const tell = (message: BackupMessage): void => parentPort?.postMessage(message);

run(workerData as BackupRequest).then(
  (progress) => tell({ progress }),
  (error: unknown) => {
    const refusal =
      error instanceof PlatformError
        ? error
        : new PlatformError("FILE_FAILED", `The backup cannot be written: ${messageOf(error)}.`);
    tell({ refusal: refusal.toBody() });
  },
);

async function run(request: BackupRequest): Promise<BackupProgress> {
  const { target, copy, name, dataDirectory, blobDirectory } = request;
  const progress = {
    done: false,
    database: 1,
    blobs: 0,
    copiedBlobs: 0,
    copiedBytes: 0,
    missing: [] as Sha256[],
  };
  const listName = name.replace(/sqlite$/, "blobs");
  const folders = new Set<string>();
  const names = new Set<string>();
  let blobBytes = 0;
  let toldAt = 0;
  const database = new DatabaseSync(copy);
  const list = createWriteStream(join(target, listName), { mode: 0o600 });
  try {
    // The copy is one file, without a log beside it.
    database.exec("PRAGMA journal_mode = DELETE");
    const rows = database.prepare("SELECT sha256, size FROM blobs ORDER BY sha256").iterate();
    for (const row of rows as Iterable<{ sha256: Uint8Array; size: number }>) {
      const sha256 = readHash(row.sha256);
      const to = blobPath(blobsIn(target), sha256);
      const there = await stat(to).catch(() => undefined);
      if (there?.size !== row.size) {
        await mkdir(join(to, ".."), { recursive: true, mode: 0o700 });
        if (!(await copySound(blobPath(blobDirectory, sha256), to, sha256))) {
          progress.missing.push(sha256);
          continue;
        }
        folders.add(join(to, ".."));
        progress.copiedBlobs++;
        progress.copiedBytes += row.size;
      }
      progress.blobs++;
      blobBytes += row.size;
      names.add(sha256);
      if (!list.write(`${sha256} ${row.size}\n`)) await new Promise((resolve) => list.once("drain", resolve));
      if (performance.now() - toldAt < 250) continue;
      toldAt = performance.now();
      tell({ progress });
    }
  } finally {
    database.close();
    list.end();
  }
  await finished(list);
  for (const folder of folders) syncFolder(folder);
  if (folders.size > 0) syncFolder(blobsIn(target));
  await sync(copy);
  await sync(join(target, listName));
  await rename(copy, join(target, name));
  await writeManifest(target, {
    format: "manyhands backup",
    version: 1,
    manyhands: version,
    madeAt: Date.now(),
    database: { name, ...(await hashFile(join(target, name))) },
    files: await copyFiles(dataDirectory, target),
    list: { name: listName, ...(await hashFile(join(target, listName))) },
    blobs: progress.blobs,
    blobBytes,
    missing: progress.missing,
  });
  await removeOthers(target, new Set([name, listName]), names);
  return { ...progress, done: true };
}

/** @returns false for a blob that is damaged or not there */
async function copySound(from: string, to: string, sha256: Sha256): Promise<boolean> {
  try {
    return (await copyFile(from, to, sha256)).sha256 === sha256;
  } catch (error) {
    if (error instanceof Error && "code" in error && ["ENOENT", "EIO"].includes(String(error.code)))
      return false;
    throw error;
  }
}

async function copyFiles(from: string, to: string): Promise<Manifest["files"]> {
  const copied: Manifest["files"] = [];
  for (const name of files) {
    const found = await stat(join(from, name)).catch(() => undefined);
    if (found) copied.push({ name, ...(await copyFile(join(from, name), join(to, name))) });
  }
  return copied;
}

/** Replaces the manifest in one step: from here on the directory is the new backup. */
async function writeManifest(target: string, manifest: Manifest): Promise<void> {
  const partial = join(target, `${manifestName}.partial`);
  const file = await open(partial, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  // The names of database and list are on disk before the manifest that names them.
  syncFolder(target);
  await rename(partial, join(target, manifestName));
  syncFolder(target);
}

/** Removes the database of the earlier backup, and blobs that are not in the new backup. */
async function removeOthers(
  target: string,
  kept: ReadonlySet<string>,
  blobs: ReadonlySet<string>,
): Promise<void> {
  for (const name of await readdir(target))
    if (/^manyhands-[0-9a-f]{8}\./.test(name) && !kept.has(name)) await rm(join(target, name));
  const folders = await readdir(blobsIn(target)).catch(() => []);
  for (const folder of folders)
    for (const path of await readdir(join(blobsIn(target), folder)))
      if (!blobs.has(basename(path))) await rm(join(blobsIn(target), folder, path));
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
