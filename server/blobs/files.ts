import { closeSync, fsync, openSync, rmSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { sha256Schema, type Sha256 } from "../../shared/ids.ts";
import { makeFolder } from "../make-folder.ts";
import * as v from "valibot";

const fsyncAsync = promisify(fsync);

/**
 * The files of a blob directory: `ab/abcdef…` for a blob (256 short folders), `ab/abcdef….chunks` for the digests of
 * its chunks, `incoming/` for uploads under way. A file outside `incoming/` is whole and verified.
 */
export class BlobFiles {
  readonly #directory: string;
  readonly #incoming: string;
  #folders: Promise<void> | undefined;

  /** Removes the files of uploads that were under way when the server died. @throws PlatformError DATA_DIRECTORY */
  constructor(directory: string) {
    this.#directory = directory;
    this.#incoming = join(directory, "incoming");
    try {
      rmSync(this.#incoming, { recursive: true, force: true });
      makeFolder(this.#incoming);
    } catch (error) {
      const said = messageOf(error);
      throw new PlatformError(
        "DATA_DIRECTORY",
        `The blob directory ${directory} cannot be written (${said}). Expected a directory that this user may write.`,
        error,
      );
    }
  }

  path(sha256: Sha256): string {
    return join(this.#directory, sha256.slice(0, 2), sha256);
  }

  /** The file of a blob's chunk digests. No blob has such a name. */
  digestsPath(sha256: Sha256): string {
    return `${this.path(sha256)}.chunks`;
  }

  /** A fresh path for an upload. */
  incomingPath(sha256: Sha256): string {
    return join(this.#incoming, `${sha256}.${randomUUID()}`);
  }

  /** Looks at once: a turn through the thread pool costs this thread 0.1-0.2 ms, the look itself 0.005. */
  find(sha256: Sha256): BlobName | undefined {
    // Most uploads are new: an error with a stack for each would cost more than the look itself.
    const found = statSync(this.path(sha256), { throwIfNoEntry: false });
    return found && { sha256, size: found.size };
  }

  /** Makes a received file the blob. The blob survives a power cut only once {@link BlobFiles.sync} has resolved, too. */
  async publish(received: string, sha256: Sha256): Promise<void> {
    await this.#makeFolders();
    await rename(received, this.path(sha256));
  }

  /** Puts the name of a published blob on disk. */
  sync(sha256: Sha256): Promise<void> {
    return syncDirectory(join(this.#directory, sha256.slice(0, 2)));
  }

  /** Makes all folders at the first blob: made one by one, each would need the directory synced. */
  #makeFolders(): Promise<void> {
    this.#folders ??= (async () => {
      for (let at = 0; at < 256; at++)
        await mkdir(join(this.#directory, at.toString(16).padStart(2, "0")), {
          recursive: true,
          mode: 0o700,
        });
      await syncDirectory(this.#directory);
    })().catch((error: unknown) => {
      this.#folders = undefined;
      throw error;
    });
    return this.#folders;
  }

  async remove(sha256: Sha256): Promise<void> {
    await rm(this.path(sha256), { force: true });
    await rm(this.digestsPath(sha256), { force: true });
  }

  /** All blobs, folder by folder. */
  async *list(): AsyncGenerator<BlobName> {
    for (const folder of await readdir(this.#directory)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      const files = await readdir(join(this.#directory, folder));
      const names = files.filter((file): file is Sha256 => v.is(sha256Schema, file));
      for (const name of names) {
        const found = this.find(name);
        if (found) yield found;
      }
    }
  }
}

/** Puts the renames in a directory on disk. Open and close run in this thread; only the disk is waited for. */
async function syncDirectory(directory: string): Promise<void> {
  const folder = openSync(directory, "r");
  try {
    await fsyncAsync(folder);
  } finally {
    closeSync(folder);
  }
}
