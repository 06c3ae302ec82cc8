import { closeSync, existsSync, fsync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { sha256Schema, type Sha256 } from "../../shared/ids.ts";
import { makeFolder } from "../make-folder.ts";
import type { BlobBackend, ByteRange, ReceivedBlob, Verdict } from "./backend.ts";
import { isMissing } from "./failure.ts";
import { HashThread } from "./hash-thread.ts";
import { IncomingFile } from "./incoming-file.ts";
import { readBlob } from "./read.ts";
import { sendFile } from "./send.ts";
import * as v from "valibot";

const fsyncAsync = promisify(fsync);

/** A server of a shared directory that showed no life for so long is dead: much longer than any clock or pause is wrong. */
const deadAfterMs = 24 * 3_600_000;
/** The file by which a server shows life. */
const lifeFile = "alive";
/** Ending of a blob's file while it is being removed. */
const asideEnding = ".aside";

/**
 * Blobs as files: `ab/abcdef…` for a blob (256 short folders), `ab/abcdef….chunks` for the digests of its chunks, `incoming/` for
 * uploads under way, `damaged/` for files that are not what their names say any more. A file elsewhere is whole, and was verified before
 * it got its name. Each server of a shared directory has a folder of its own in `incoming/`.
 */
export class BlobDirectory implements BlobBackend {
  readonly isShared: boolean;
  readonly verifiesItself = false;
  readonly directory: string;
  readonly #allIncoming: string;
  readonly #incoming: string;
  readonly #damaged: string;
  readonly #thread = new HashThread();
  #folders: Promise<void> | undefined;

  /**
   * Makes the directory when it is missing. Without other servers, files of uploads that were under way when the server died are removed.
   * @throws PlatformError DATA_DIRECTORY
   */
  constructor(directory: string, isShared: boolean) {
    this.isShared = isShared;
    this.directory = directory;
    this.#allIncoming = join(directory, "incoming");
    this.#damaged = join(directory, "damaged");
    this.#incoming = isShared ? join(this.#allIncoming, randomUUID()) : this.#allIncoming;
    try {
      if (!isShared) rmSync(this.#incoming, { recursive: true, force: true });
      makeFolder(this.#incoming);
      if (isShared) writeFileSync(join(this.#incoming, lifeFile), "");
    } catch (error) {
      const said = messageOf(error);
      throw new PlatformError(
        "DATA_DIRECTORY",
        `The blob directory ${directory} cannot be written (${said}). Expected a directory that this user may write.`,
        error,
      );
    }
  }

  /** Looks at once: a turn through the thread pool costs this thread 0.1-0.2 ms, the look itself 0.005. */
  find(sha256: Sha256): BlobName | undefined {
    // Most uploads are new: an error with a stack for each would cost more than the look itself.
    const found = statSync(this.#path(sha256), { throwIfNoEntry: false });
    return found && { sha256, size: found.size };
  }

  incoming(sha256: Sha256): IncomingFile {
    return new IncomingFile(this.#incomingPath(sha256), sha256);
  }

  received(file: IncomingFile): ReceivedBlob {
    const { sha256, size } = file;
    let isPublished = false;
    return {
      size,
      publish: async () => {
        await this.#makeFolders();
        await rename(file.path, this.#path(sha256));
        isPublished = true;
      },
      sync: () => syncDirectory(this.#folder(sha256)),
      discard: async () => {
        if (!isPublished) await file.remove();
      },
    };
  }

  open(sha256: Sha256, range?: ByteRange): Readable {
    return readBlob(this.#path(sha256), sha256, range);
  }

  send(sha256: Sha256, range: ByteRange, sink: Writable, isSound?: () => Promise<boolean>): Promise<void> {
    return sendFile(this.#path(sha256), sha256, range, sink, isSound);
  }

  async verify(sha256: Sha256, bytesPerSecond?: number): Promise<Verdict> {
    const digestsPath = this.#digestsPath(sha256);
    const found = await this.#thread.hash({ path: this.#path(sha256), digestsPath }, bytesPerSecond);
    if (found.failure === "ENOENT") return "missing";
    if (found.sha256 === sha256) {
      if (found.digestsDiffer) await rm(digestsPath, { force: true });
      return "sound";
    }
    // A sector that cannot be read is as good as a wrong one.
    if (found.failure !== undefined && found.failure !== "EIO")
      throw new PlatformError("STORE_FAILED", `Blob ${sha256} cannot be read: ${found.failure}.`);
    return "damaged";
  }

  async setAside(sha256: Sha256): Promise<boolean> {
    makeFolder(this.#damaged);
    const [path, aside] = [this.#path(sha256), this.#damagedPath(sha256)];
    await rename(path, aside);
    if (this.isShared) {
      // Another server may have put the blob again after it was read.
      const found = await this.#thread.hash({ path: aside, digestsPath: this.#digestsPath(sha256) });
      if (found.sha256 === sha256) {
        await rename(aside, path);
        return false;
      }
    }
    await rm(this.#digestsPath(sha256), { force: true });
    await syncDirectory(this.#damaged);
    await syncDirectory(this.#folder(sha256));
    return true;
  }

  async isSetAside(sha256: Sha256): Promise<boolean> {
    return existsSync(this.#damagedPath(sha256));
  }

  async listSetAside(): Promise<Sha256[]> {
    try {
      return (await readdir(this.#damaged)).filter(isHash);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async removeSetAside(sha256: Sha256): Promise<void> {
    await rm(this.#damagedPath(sha256), { force: true });
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async remove({ sha256 }: BlobName, isWanted?: () => Promise<boolean>): Promise<void> {
    if (isWanted) {
      const aside = join(this.#incoming, `${sha256}${asideEnding}`);
      try {
        await rename(this.#path(sha256), aside);
      } catch (error) {
        if (isMissing(error)) return;
        throw error;
      }
      if (await isWanted()) return rename(aside, this.#path(sha256));
      await rm(aside, { force: true });
    } else await rm(this.#path(sha256), { force: true });
    await rm(this.#digestsPath(sha256), { force: true });
  }

  /** Lists the blobs, folder by folder. */
  async *list(): AsyncGenerator<BlobName> {
    for (const folder of await readdir(this.directory)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      const files = await readdir(join(this.directory, folder));
      const names = files.filter(isHash);
      for (const name of names) {
        const found = this.find(name);
        if (found) yield found;
      }
    }
  }

  async readDigests(sha256: Sha256): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#digestsPath(sha256));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Keeps the digests by a rename, so that their file is whole or not there. */
  async keepDigests(sha256: Sha256, digests: Buffer): Promise<void> {
    const aside = this.#incomingPath(sha256);
    try {
      const file = await open(aside, "wx", 0o600);
      try {
        await file.writeFile(digests);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, this.#digestsPath(sha256));
    } finally {
      await rm(aside, { force: true });
    }
  }

  /** The file gets the clock of the file system, by which the servers compare their signs of life. */
  async showLife(): Promise<void> {
    if (!this.isShared) return;
    await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
    await writeFile(join(this.#incoming, lifeFile), "");
  }

  async removeLeftovers(): Promise<void> {
    if (!this.isShared) return;
    const { mtimeMs: now } = await stat(join(this.#incoming, lifeFile));
    for (const name of await readdir(this.#allIncoming)) {
      const entry = join(this.#allIncoming, name);
      const life = await stat(join(entry, lifeFile)).catch(() => stat(entry));
      if (now - life.mtimeMs > deadAfterMs) await this.#removeDead(entry);
    }
  }

  /** A blob that a dead server was removing comes back: the server may have died after a use that it had to heed. */
  async #removeDead(folder: string): Promise<void> {
    for (const file of await readdir(folder).catch(() => [])) {
      const sha256 = file.slice(0, -asideEnding.length);
      if (file.endsWith(asideEnding) && isHash(sha256)) await rename(join(folder, file), this.#path(sha256));
    }
    await rm(folder, { recursive: true, force: true });
  }

  #folder(sha256: Sha256): string {
    return join(this.directory, sha256.slice(0, 2));
  }

  #path(sha256: Sha256): string {
    return join(this.#folder(sha256), sha256);
  }

  /** The file of a damaged blob. */
  #damagedPath(sha256: Sha256): string {
    return join(this.#damaged, sha256);
  }

  /** The file of a blob's chunk digests. No blob has such a name. */
  #digestsPath(sha256: Sha256): string {
    return `${this.#path(sha256)}.chunks`;
  }

  /** A fresh path for an upload. */
  #incomingPath(sha256: Sha256): string {
    return join(this.#incoming, `${sha256}.${randomUUID()}`);
  }

  /** Makes all folders at the first blob: made one by one, each would need the directory synced. */
  #makeFolders(): Promise<void> {
    this.#folders ??= (async () => {
      for (let at = 0; at < 256; at++)
        await mkdir(join(this.directory, at.toString(16).padStart(2, "0")), {
          recursive: true,
          mode: 0o700,
        });
      await syncDirectory(this.directory);
    })().catch((error: unknown) => {
      this.#folders = undefined;
      throw error;
    });
    return this.#folders;
  }
}

function isHash(file: string): file is Sha256 {
  return v.is(sha256Schema, file);
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
