import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { bufferDropped } from "../../system/garbage.ts";
import { BatchedWriter } from "./batched-writer.ts";
import { eachChunk, type ByteSource } from "./each-chunk.ts";

/**
 * Streams an upload into a file of its own, on disk when this resolves unless `isLasting` is false; no file remains of a failed upload.
 * @param room - called before bytes are written; throws when there is no room for them; absent when room is reserved
 * @returns size in bytes
 * @throws PlatformError HASH_MISMATCH, TOO_LARGE, BAD_REQUEST when the source fails
 */
export async function receive(
  path: string,
  sha256: Sha256,
  source: ByteSource,
  declaredSize: number | undefined,
  room?: (bytes: number) => Promise<void>,
  isLasting = true,
): Promise<number> {
  const hash = createHash("sha256");
  let size = 0;
  const writer = new BatchedWriter(open(path, "wx", 0o600));
  const take = (chunk: Uint8Array): Promise<void> | undefined => {
    hash.update(chunk);
    bufferDropped(chunk.length);
    return writer.write(chunk);
  };
  try {
    await eachChunk(source, (chunk) => {
      size += chunk.length;
      if (size > Math.min(declaredSize ?? Infinity, limits.blobBytes)) throw tooLong(sha256, declaredSize);
      return room ? room(chunk.length).then(() => take(chunk)) : take(chunk);
    });
    verify(sha256, hash.digest("hex"), size, declaredSize);
    await writer.end(isLasting);
    return size;
  } catch (error) {
    await writer.abandon();
    await rm(path, { force: true });
    throw error;
  }
}

function verify(expected: Sha256, actual: string, size: number, declaredSize: number | undefined): void {
  if (declaredSize !== undefined && size !== declaredSize)
    throw new PlatformError(
      "HASH_MISMATCH",
      `The upload of blob ${expected} has ${size} bytes; ${declaredSize} were announced.`,
    );
  if (actual !== expected)
    throw new PlatformError(
      "HASH_MISMATCH",
      `The ${size} bytes uploaded as blob ${expected} have the SHA-256 ${actual}.`,
    );
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
