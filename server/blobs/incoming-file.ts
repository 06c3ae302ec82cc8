import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { bufferDropped } from "../../system/garbage.ts";
import { BatchedWriter } from "./batched-writer.ts";
import { eachChunk, EndedEarly, type ByteSource } from "./each-chunk.ts";

/** A stretch of an upload. */
export interface Stretch {
  /** Bytes of the whole upload that its sender announced. */
  readonly declaredSize: number | undefined;
  /** Whether the upload ends with it. */
  readonly isLast: boolean;
  /** Called before bytes are written; throws when there is no room for them; absent when room is reserved. */
  readonly room?: ((bytes: number) => Promise<void>) | undefined;
}

/** The file that an upload is streamed into, over one connection or several. Each byte is hashed once, as it passes. */
export class IncomingFile {
  readonly sha256: Sha256;
  readonly path: string;
  readonly #isLasting: boolean;
  readonly #hash = createHash("sha256");
  #size = 0;
  #isThere = false;

  /** @param isLasting - whether the whole upload is on disk when its last stretch has been taken */
  constructor(path: string, sha256: Sha256, isLasting = true) {
    this.path = path;
    this.sha256 = sha256;
    this.#isLasting = isLasting;
  }

  /** Bytes in the file. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends a stretch; the last one is verified together with all before.
   * @throws EndedEarly when the source fails: the file has the bytes that came before, and another stretch may follow
   * @throws PlatformError HASH_MISMATCH, TOO_LARGE, …: the file is of no use any more
   */
  async append(source: ByteSource, { declaredSize, isLast, room }: Stretch): Promise<void> {
    const writer = new BatchedWriter(open(this.path, this.#isThere ? "a" : "ax", 0o600));
    this.#isThere = true;
    const take = (chunk: Uint8Array): Promise<void> | undefined => {
      this.#hash.update(chunk);
      bufferDropped(chunk.length);
      return writer.write(chunk);
    };
    try {
      await eachChunk(source, (chunk) => {
        this.#size += chunk.length;
        if (this.#size > Math.min(declaredSize ?? Infinity, limits.blobBytes))
          throw tooLong(this.sha256, declaredSize);
        return room ? room(chunk.length).then(() => take(chunk)) : take(chunk);
      });
      if (isLast) this.#verify(declaredSize);
      await writer.end(isLast && this.#isLasting);
    } catch (error) {
      if (!(error instanceof EndedEarly)) await writer.abandon();
      else await writer.end(false);
      throw error;
    }
  }

  remove(): Promise<void> {
    return rm(this.path, { force: true });
  }

  #verify(declaredSize: number | undefined): void {
    if (declaredSize !== undefined && this.#size !== declaredSize)
      throw new PlatformError(
        "HASH_MISMATCH",
        `The upload of blob ${this.sha256} has ${this.#size} bytes; ${declaredSize} were announced.`,
      );
    const actual = this.#hash.digest("hex");
    if (actual !== this.sha256)
      throw new PlatformError(
        "HASH_MISMATCH",
        `The ${this.#size} bytes uploaded as blob ${this.sha256} have the SHA-256 ${actual}.`,
      );
  }
}

function tooLong(sha256: Sha256, declaredSize: number | undefined): PlatformError {
  if (declaredSize !== undefined && declaredSize < limits.blobBytes)
    return new PlatformError(
      "HASH_MISMATCH",
      `The upload of blob ${sha256} has more than the ${declaredSize} bytes that were announced.`,
    );
  return blobTooLarge(sha256);
}

export function blobTooLarge(sha256: Sha256): PlatformError {
  return new PlatformError(
    "TOO_LARGE",
    `Blob ${sha256} has more than ${limits.blobBytes} bytes, the most a blob may have.`,
  );
}
