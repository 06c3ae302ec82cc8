import { randomUUID } from "node:crypto";
import { realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SandboxHost } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { makeDirectory } from "../../system/make-directory.ts";

/** A cache whose blobs are files. */
export interface LinkedCache {
  /** Directory of the file system of the cache's files, for directories of links. */
  readonly linkDirectory: string;
  /** Larger blobs are not kept. */
  readonly quotaBytes: number;
  /**
   * Gives the file of a blob, which was verified, a further name. False for a blob that is not in the cache, and where the file cannot have one.
   */
  link(sha256: Sha256, size: number, path: string): Promise<boolean>;
}

/** The directory of one sandbox, which its process alone may read: blobs that its kernel asked for, as hard links. */
export class LinkedFiles {
  readonly directory: string;
  readonly #cache: LinkedCache;
  readonly #data: SandboxHost["data"];
  readonly #links = new Set<string>();
  #made = 0;
  /** Whether a blob that was read had no file: the disk is full, or its file system has no links. */
  #failed = false;
  #ended = false;

  /** @throws Error when the directory cannot be made */
  constructor(cache: LinkedCache, data: SandboxHost["data"]) {
    this.#cache = cache;
    this.#data = data;
    // Node compares paths as they are written, and the process works in another directory.
    this.directory = join(realpathSync(cache.linkDirectory), `sandbox-${randomUUID()}`);
    makeDirectory(this.directory, 0o700);
  }

  /**
   * A file with the bytes of a blob, which is fetched if the cache has not got it. Undefined when it cannot be a file.
   * @param done - files that the process has read
   * @throws PlatformError of data that cannot be had
   */
  async file(name: BlobName, done: readonly unknown[]): Promise<string | undefined> {
    for (const path of done) this.#remove(path as string);
    if (this.#failed || name.size > this.#cache.quotaBytes) return undefined;
    const path = join(this.directory, String(this.#made++));
    if (await this.#link(name, path)) return path;
    await this.#data(name, undefined);
    if (await this.#link(name, path)) return path;
    this.#failed = true;
    return undefined;
  }

  async #link({ sha256, size }: BlobName, path: string): Promise<boolean> {
    const isLinked = await this.#cache.link(sha256, size, path);
    if (isLinked) this.#links.add(path);
    if (isLinked && this.#ended) this.#remove(path);
    return isLinked;
  }

  #remove(path: string): void {
    if (this.#links.delete(path)) rmSync(path, { force: true });
  }

  /** Removes all files: the process runs nothing. */
  clear(): void {
    for (const path of this.#links) this.#remove(path);
  }

  /** Removes the directory: the process is gone. */
  end(): void {
    this.#ended = true;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
