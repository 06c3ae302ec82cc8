import { createReadStream } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { makeFolder } from "../make-folder.ts";
import { databaseName } from "../store/sqlite/open.ts";
import { copyFile, syncFolder } from "./copy-file.ts";
import { hashFile } from "./hash-file.ts";
import { blobPath, blobsIn, readManifest, type Manifest } from "./manifest.ts";

export interface Restored {
  /** Time of the backup, in ms since the Unix epoch. */
  readonly madeAt: number;
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that the backup lacks, or has damaged: a server on the new directory asks their customers for them. */
  readonly missing: Sha256[];
}

/**
 * Makes a data directory of a backup, and verifies all hashes on the way. The database comes last: an interrupted restore leaves nothing
 * that a server could start on.
 * @param data - a directory that is new or empty
 * @throws PlatformError DATA_DIRECTORY when the backup's database, list or secrets are damaged; FILE_FAILED
 */
export async function restore(backup: string, data: string): Promise<Restored> {
  const manifest = await readManifest(backup);
  try {
    makeFolder(data);
    const there = (await readdir(data)).filter((name) => name !== "lost+found");
    if (there.length > 0)
      throw new PlatformError(
        "BAD_ARGUMENT",
        `The directory ${data} has files (${there.slice(0, 3).join(", ")}); expected a new or empty one.`,
      );
    return await copyAll(backup, data, manifest);
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError("FILE_FAILED", `The backup was not restored: ${messageOf(error)}.`, error);
  }
}

async function copyAll(backup: string, data: string, manifest: Manifest): Promise<Restored> {
  const { database, files, list, madeAt } = manifest;
  const missing = [...manifest.missing];
  if ((await hashFile(join(backup, list.name))).sha256 !== list.sha256) throw damaged(backup, list.name);
  let [blobs, bytes] = [0, 0];
  for await (const line of createInterface({ input: createReadStream(join(backup, list.name)) })) {
    const sha256 = line.slice(0, 64) as Sha256;
    const to = blobPath(blobsIn(data), sha256);
    await mkdir(join(to, ".."), { recursive: true, mode: 0o700 });
    const copied = await copyFile(blobPath(blobsIn(backup), sha256), to, sha256).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && ["ENOENT", "EIO"].includes(String(error.code)))
        return undefined;
      throw error;
    });
    if (copied?.sha256 === sha256) {
      blobs++;
      bytes += copied.size;
    } else missing.push(sha256);
  }
  for (const folder of await readdir(join(data, "blobs")).catch(() => []))
    syncFolder(join(data, "blobs", folder));
  if (blobs > 0) syncFolder(join(data, "blobs"));
  for (const { name, sha256 } of files)
    if ((await copyFile(join(backup, name), join(data, name), sha256)).sha256 !== sha256)
      throw damaged(backup, name);
  await noteMissing(data, missing);
  const copied = await copyFile(join(backup, database.name), join(data, databaseName), database.sha256);
  if (copied.sha256 !== database.sha256) throw damaged(backup, database.name);
  syncFolder(data);
  return { madeAt, blobs, bytes, missing };
}

/** Has the server that starts here take the missing blobs for damaged ones: their tasks wait, and their jobs say so. */
async function noteMissing(data: string, missing: readonly Sha256[]): Promise<void> {
  if (missing.length === 0) return;
  const folder = join(data, "blobs", "damaged");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const sha256 of missing) await writeFile(join(folder, sha256), "");
  syncFolder(folder);
  syncFolder(join(data, "blobs"));
}

function damaged(backup: string, name: string): PlatformError {
  return new PlatformError(
    "DATA_DIRECTORY",
    `${name} in the backup ${backup} is not what the manifest says: it is damaged. Expected another backup.`,
  );
}
