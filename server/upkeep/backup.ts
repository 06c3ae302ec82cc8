import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { PlatformError, refusalOf } from "../../shared/errors.ts";
import type { BackupProgress } from "../../shared/wire/rest/upkeep.ts";
import { moduleBeside } from "../../system/module-beside.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { makeFolder } from "../make-folder.ts";
import type { EmbeddedStore } from "../store/sqlite/embedded-store.ts";
import type { BackupMessage, BackupRequest } from "./backup-entry.ts";
import { manifestName, readManifest } from "./manifest.ts";

interface BackupOptions {
  readonly store: Pick<EmbeddedStore, "backup">;
  readonly blobs: Pick<BlobStore, "holdRemovals">;
  readonly dataDirectory: string;
  readonly blobDirectory: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BackupProgress) => void;
}

/**
 * Writes a backup while the server runs, or brings an earlier one up to date: a consistent copy of the database, then the blobs that it
 * names and that are not there yet. Until the last step the earlier backup stays whole (SPEC.md [BACKUP-1], [BACKUP-2]).
 * @param target - absolute path of a directory that is new, empty or an earlier backup
 * @throws PlatformError BAD_ARGUMENT, FILE_FAILED, STORE_FAILED
 */
export async function backUp(target: string, options: BackupOptions): Promise<BackupProgress> {
  const { store, blobs, dataDirectory, blobDirectory, signal, onProgress } = options;
  for (const used of [dataDirectory, blobDirectory]) await checkTarget(target, used);
  const release = blobs.holdRemovals();
  const name = `manyhands-${randomUUID().slice(0, 8)}.sqlite`;
  const copy = join(target, `${name}.partial`);
  const started: BackupProgress = {
    done: false,
    database: 0,
    blobs: 0,
    copiedBlobs: 0,
    copiedBytes: 0,
    missing: [],
  };
  try {
    onProgress?.(started);
    await store.backup(copy, (database) => onProgress?.({ ...started, database }));
    signal?.throwIfAborted();
    return await copyBlobs({ target, copy, name, dataDirectory, blobDirectory }, options);
  } finally {
    release();
    await rm(copy, { force: true });
  }
}

async function checkTarget(target: string, used: string): Promise<void> {
  if (!isAbsolute(target))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `The backup directory "${target}" is relative; expected an absolute path on the server's machine.`,
    );
  const inside = relative(resolve(used), target);
  if (inside === "" || !(inside.startsWith("..") || isAbsolute(inside)))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `The backup directory ${target} is in the data directory, or in that of the blobs; expected one on another disk.`,
    );
  try {
    makeFolder(target);
    const names = await readdir(target);
    if (names.includes(manifestName)) await readManifest(target);
    else if (names.some((name) => !isOurs(name)))
      throw new PlatformError(
        "BAD_ARGUMENT",
        `The directory ${target} has other files and is no backup; expected a new or empty directory, or an earlier backup.`,
      );
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError("FILE_FAILED", `The backup directory ${target} cannot be used.`, error);
  }
}

/** Whether a file may be of an interrupted first backup, or a file system's own. */
function isOurs(name: string): boolean {
  return name === "lost+found" || name === "blobs" || /^manyhands-[0-9a-f]{8}\.(sqlite|blobs)/.test(name);
}

/** Copies in a thread, because blobs are hashed. */
function copyBlobs(request: BackupRequest, { signal, onProgress }: BackupOptions): Promise<BackupProgress> {
  const worker = new Worker(moduleBeside(import.meta.url, "backup-entry"), { workerData: request });
  const ended = Promise.withResolvers<BackupProgress>();
  worker.on("message", (message: BackupMessage) => {
    if ("refusal" in message) return ended.reject(refusalOf(message.refusal));
    onProgress?.(message.progress);
    if (message.progress.done) ended.resolve(message.progress);
  });
  worker.on("error", (error) => ended.reject(PlatformError.from(error)));
  worker.on("exit", () => ended.reject(new PlatformError("SHUTTING_DOWN", "The backup was ended.")));
  const stop = (): void => {
    void worker.terminate();
    ended.reject(signal?.reason);
  };
  signal?.addEventListener("abort", stop, { once: true });
  return ended.promise.finally(() => signal?.removeEventListener("abort", stop));
}
