import { createHash } from "node:crypto";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import type { BlobBackend } from "./backend.ts";

const digestBytes = 32;

/**
 * SHA-256 of each chunk of a blob, computed when first asked for, and kept beside the blob. The whole blob is hashed along, which proves
 * that the digests belong to its name.
 */
export class ChunkDigests {
  readonly #backend: BlobBackend;
  readonly #underWay = new Map<string, Promise<Buffer>>();

  constructor(backend: BlobBackend) {
    this.#backend = backend;
  }

  /**
   * @param chunkBytes - digests of chunks of another size are computed each time
   * @throws PlatformError NOT_FOUND, STORE_FAILED when the stored blob is damaged
   */
  of(name: BlobName, chunkBytes: number = limits.chunkBytes): Promise<Buffer> {
    const key = `${name.sha256} ${chunkBytes}`;
    let under = this.#underWay.get(key);
    if (!under) {
      const found = chunkBytes === limits.chunkBytes ? this.#find(name) : this.#compute(name, chunkBytes);
      under = found.finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, under);
    }
    return under;
  }

  async #find(name: BlobName): Promise<Buffer> {
    const kept = await this.#backend.readDigests(name.sha256);
    if (kept?.length === Math.ceil(name.size / limits.chunkBytes) * digestBytes) return kept;
    const digests = await this.#compute(name, limits.chunkBytes);
    await this.#backend.keepDigests(name.sha256, digests);
    return digests;
  }

  async #compute({ sha256 }: BlobName, chunkBytes: number): Promise<Buffer> {
    const whole = createHash("sha256");
    const digests: Buffer[] = [];
    let chunk = createHash("sha256");
    let room = chunkBytes;
    for await (const bytes of this.#backend.open(sha256) as AsyncIterable<Buffer>) {
      whole.update(bytes);
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + room);
        chunk.update(part);
        at += part.length;
        room -= part.length;
        if (room > 0) continue;
        digests.push(chunk.digest());
        chunk = createHash("sha256");
        room = chunkBytes;
      }
    }
    if (room < chunkBytes) digests.push(chunk.digest());
    if (whole.digest("hex") !== sha256)
      throw new PlatformError("STORE_FAILED", `Blob ${sha256} is damaged in the server's store.`);
    return Buffer.concat(digests);
  }
}
