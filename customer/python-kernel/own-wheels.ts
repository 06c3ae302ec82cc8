import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { DataReference } from "../../shared/data-reference.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { readWheel } from "../../shared/wheel.ts";
import type { ProgramWheel } from "../../shared/wire/python-program.ts";
import type { PythonFile } from "./runtime.ts";

/** A wheel on this machine, or a data reference to one. */
export type WheelSource = string | URL | DataReference;

/** The packages that a customer gives with a function in Python. */
export class OwnWheels {
  readonly wheels: ProgramWheel[] = [];
  /** Modules that they have, as far as this is known: not of data references. */
  readonly modules = new Set<string>();
  /** Wheels that are files, by the names of their blobs. */
  readonly files = new Map<Sha256, PythonFile>();

  /** @throws PlatformError FILE_FAILED, BAD_ARGUMENT */
  static async open(sources: readonly WheelSource[], embeds: boolean): Promise<OwnWheels> {
    const own = new OwnWheels();
    for (const source of sources)
      if (DataReference.is(source)) own.#addReference(source, embeds);
      else await own.#addFile(source instanceof URL ? fileURLToPath(source) : source, embeds);
    return own;
  }

  #addReference({ sha256, size, range }: DataReference, embeds: boolean): void {
    if (range)
      throw new PlatformError("BAD_ARGUMENT", "A wheel is a slice of a blob; expected a whole blob.");
    if (embeds)
      throw new PlatformError(
        "BAD_ARGUMENT",
        "A wheel is a data reference, and its job takes the outputs of another one, whose tasks cannot name further blobs; expected a file, which then travels in the kernel.",
      );
    // A reference has no file name, which a wheel of pure Python does not need.
    this.wheels.push({ file: `wheel_${sha256.slice(0, 16)}-0-py3-none-any.whl`, sha256, size });
  }

  async #addFile(path: string, embeds: boolean): Promise<void> {
    const file = basename(path);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new PlatformError("FILE_FAILED", `The wheel ${path} cannot be read: ${messageOf(error)}.`, error);
    });
    for (const module of readWheel(file, bytes).modules) this.modules.add(module);
    const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
    this.wheels.push(
      embeds ? { file, base64: bytes.toString("base64") } : { file, sha256, size: bytes.length },
    );
    this.files.set(sha256, { sha256, size: bytes.length, path });
  }
}
