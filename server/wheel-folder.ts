import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../shared/errors.ts";
import type { Sha256 } from "../shared/ids.ts";
import { readWheel } from "../shared/wheel.ts";
import type { WheelInfo } from "../shared/wire/wheels.ts";
import { makeFolder } from "./make-folder.ts";

/** A wheel of this server, and where it lies. */
export type StoredWheel = WheelInfo & { readonly path: string };

/** The wheels that the operator put into the server: files in a folder of its own. */
export class WheelFolder {
  readonly #folder: string;
  /** Contents of wheels that were read, by path, size and time of the file. */
  readonly #read = new Map<string, Promise<StoredWheel>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The wheels, ordered by the names of their files. A file that is no wheel is left out. */
  async list(): Promise<StoredWheel[]> {
    const files = await readdir(this.#folder).catch(() => []);
    const found = files.filter((file) => file.endsWith(".whl")).toSorted();
    const wheels: StoredWheel[] = [];
    // Wheels are read one after the other: those of a release of Pyodide have hundreds of MB together.
    for (const file of found) {
      const wheel = await this.#open(file).catch(() => undefined);
      if (wheel) wheels.push(wheel);
    }
    return wheels;
  }

  /**
   * Keeps a wheel, in place of one of the same file name.
   * @throws PlatformError BAD_ARGUMENT for bytes that are no wheel
   */
  async add(file: string, bytes: Uint8Array): Promise<StoredWheel> {
    readWheel(file, bytes);
    makeFolder(this.#folder);
    const part = join(this.#folder, `${file}.part`);
    await writeFile(part, bytes, { flush: true });
    await rename(part, join(this.#folder, file));
    return this.#open(file);
  }

  /** @throws PlatformError NOT_FOUND */
  async get(file: string): Promise<StoredWheel> {
    return this.#open(file).catch((error: unknown) => {
      throw new PlatformError("NOT_FOUND", `There is no wheel ${file}.`, error);
    });
  }

  /** @throws PlatformError NOT_FOUND */
  async remove(file: string): Promise<void> {
    await rm((await this.get(file)).path);
  }

  async #open(file: string): Promise<StoredWheel> {
    const path = join(this.#folder, file);
    const { size, mtimeMs } = await stat(path);
    const key = `${file} ${size} ${mtimeMs}`;
    const known = this.#read.get(key);
    if (known) return known;
    const read = this.#readFile(file, path);
    this.#read.set(key, read);
    read.catch(() => this.#read.delete(key));
    return read;
  }

  async #readFile(file: string, path: string): Promise<StoredWheel> {
    const bytes = await readFile(path);
    const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
    return { ...readWheel(file, bytes), sha256, size: bytes.length, path };
  }
}
