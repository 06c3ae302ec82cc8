import { createHash } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { isMissing } from "./failure.ts";
import type { BlobFiles } from "./files.ts";
import { readBlob } from "./read.ts";

const digestBytes = 32;

/**
 * SHA-256 of each chunk of a blob, computed when first asked for, and kept in a file beside the blob. The whole blob
 * is hashed along, which proves that the digests belong to its name.
 */
export class ChunkDigests {
  readonly #files: BlobFiles;
  readonly #underWay = new Map<Sha256, Promise<Buffer>>();

  constructor(files: BlobFiles) {
    this.#files = files;
  }

  /** @throws PlatformError NOT_FOUND, STORE_FAILED when the blob is damaged on disk */
  of(name: BlobName): Promise<Buffer> {
    let under = this.#underWay.get(name.sha256);
    if (!under) {
      under = this.#find(name).finally(() => this.#underWay.delete(name.sha256));
      this.#underWay.set(name.sha256, under);
    }
    return under;
  }

  async #find(name: BlobName): Promise<Buffer> {
    const path = this.#files.digestsPath(name.sha256);
    const kept = await readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (kept?.length === Math.ceil(name.size / limits.chunkBytes) * digestBytes) return kept;
    const digests = await this.#compute(name);
    await this.#keep(path, name.sha256, digests);
    return digests;
  }

  async #compute({ sha256 }: BlobName): Promise<Buffer> {
    const whole = createHash("sha256");
    const digests: Buffer[] = [];
    let chunk = createHash("sha256");
    let room: number = limits.chunkBytes;
    for await (const bytes of readBlob(this.#files.path(sha256), sha256) as AsyncIterable<Buffer>) {
      whole.update(bytes);
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + room);
        chunk.update(part);
        at += part.length;
        room -= part.length;
        if (room > 0) continue;
        digests.push(chunk.digest());
        chunk = createHash("sha256");
        room = limits.chunkBytes;
      }
    }
    if (room < limits.chunkBytes) digests.push(chunk.digest());
    if (whole.digest("hex") !== sha256)
      throw new PlatformError("STORE_FAILED", `Blob ${sha256} is damaged on the server's disk.`);
    return Buffer.concat(digests);
  }

  /** Keeps the digests by a rename, so that their file is whole or not there. */
  async #keep(path: string, sha256: Sha256, digests: Buffer): Promise<void> {
    const aside = this.#files.incomingPath(sha256);
    try {
      const file = await open(aside, "wx", 0o600);
      try {
        await file.writeFile(digests);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, path);
    } finally {
      await rm(aside, { force: true });
    }
  }
}
