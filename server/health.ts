import { open, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { PlatformError } from "../shared/errors.ts";
import { hints } from "../shared/hints.ts";
import { databaseName } from "./store/sqlite/open.ts";
import type { Store } from "./store/store.ts";

/** A finding is trusted for this long: however many ask, the disk is tried once in this time. */
const trustedMs = 1_000;
const probeBytes = 4096;

/**
 * Whether the server can keep its data: the data directory is still the one that was opened, a file can be written
 * in it, and the store commits. All of this is tried for real, because free space says nothing of quotas, reserved
 * blocks and broken disks.
 */
export class Health {
  readonly #directory: string;
  readonly #store: Pick<Store, "check">;
  readonly #log: Logger;
  readonly #identity: Promise<string>;
  #newest: { readonly at: number; readonly found: Promise<PlatformError | undefined> } | undefined;
  #told = "";

  constructor(directory: string, store: Pick<Store, "check">, log: Logger) {
    this.#directory = directory;
    this.#store = store;
    this.#log = log;
    this.#identity = this.#look();
  }

  /**
   * The fault, without paths: the caller may be a stranger. Undefined while the server is healthy, which it is again
   * once the fault is mended.
   */
  check(): Promise<PlatformError | undefined> {
    const now = performance.now();
    if (!this.#newest || now - this.#newest.at >= trustedMs)
      this.#newest = { at: now, found: this.#try().then((found) => this.#tell(found)) };
    return this.#newest.found;
  }

  /** Bytes that this user may still write on the file system of the data directory; undefined when the system does not tell. */
  async freeBytes(): Promise<number | undefined> {
    try {
      const { bavail, bsize } = await statfs(this.#directory);
      return bavail * bsize;
    } catch {
      return undefined;
    }
  }

  async #try(): Promise<PlatformError | undefined> {
    if ((await this.#look()) !== (await this.#identity))
      return new PlatformError(
        "DATA_DIRECTORY",
        "The data directory was removed or replaced while the server ran; what it stores now is lost with its end.",
        undefined,
        hints.dataDirectory,
      );
    try {
      await this.#writeProbe();
    } catch (error) {
      return writeFailure(error);
    }
    try {
      await this.#store.check();
      return undefined;
    } catch (error) {
      return PlatformError.from(error);
    }
  }

  /** Identity of the data directory and its database: device and inode. */
  async #look(): Promise<string> {
    const paths = [this.#directory, join(this.#directory, databaseName)];
    const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
    return found.map((each) => (each ? `${each.dev}:${each.ino}` : "none")).join(" ");
  }

  async #writeProbe(): Promise<void> {
    const path = join(this.#directory, "health-probe");
    try {
      const file = await open(path, "w", 0o600);
      try {
        await file.write(new Uint8Array(probeBytes));
        // A network file system reports a full disk at the sync.
        await file.sync();
      } finally {
        await file.close();
      }
    } finally {
      await rm(path, { force: true }).catch(() => undefined);
    }
  }

  #tell(found: PlatformError | undefined): PlatformError | undefined {
    const text = found?.message ?? "";
    if (text !== this.#told && found)
      this.#log.error({ err: found.cause ?? found }, "the server is not healthy");
    if (text !== this.#told && !found) this.#log.info("the server is healthy again");
    this.#told = text;
    return found;
  }
}

function writeFailure(error: unknown): PlatformError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (["ENOSPC", "EDQUOT"].includes(code))
    return new PlatformError("STORE_FULL", "The disk of the data directory is full.", error);
  return new PlatformError(
    "STORE_FAILED",
    `The data directory cannot be written (${code || "unknown"}).`,
    error,
  );
}
