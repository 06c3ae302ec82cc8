import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { BatchedWriter } from "./batched-writer.ts";
import { bufferDropped } from "./young-garbage.ts";

/** What an upload brings: a request, a file, a generator. Its chunks are not reused once they were given. */
export type ByteSource = AsyncIterable<Uint8Array> | Readable;

/**
 * Streams an upload into a file of its own, on disk when it resolves; whatever goes wrong, the file is gone.
 * @param room - called before bytes are written; throws when there is no room for them; absent: there is
 * @returns size in bytes
 * @throws PlatformError HASH_MISMATCH, TOO_LARGE, BAD_REQUEST when the source fails
 */
export async function receive(
  path: string,
  sha256: Sha256,
  source: ByteSource,
  declaredSize: number | undefined,
  room?: (bytes: number) => Promise<void>,
): Promise<number> {
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(path, "wx", 0o600);
  const writer = new BatchedWriter(file.fd);
  try {
    for await (const chunk of chunksOf(source)) {
      size += chunk.length;
      if (size > Math.min(declaredSize ?? Infinity, limits.blobBytes)) throw tooLong(sha256, declaredSize);
      await room?.(chunk.length);
      hash.update(chunk);
      await writer.write(chunk);
      bufferDropped(chunk.length);
    }
    verify(sha256, hash.digest("hex"), size, declaredSize);
    await writer.end();
    await file.sync();
    await file.close();
    return size;
  } catch (error) {
    await writer.abandon();
    await file.close().catch(() => {});
    await rm(path, { force: true });
    throw error;
  }
}

/** The caller answers on the same connection that the upload came in by, so an upload that is refused is not destroyed. */
async function* chunksOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterable<Uint8Array> =
    source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source;
  let received = 0;
  try {
    for await (const chunk of chunks) {
      received += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError(
      "BAD_REQUEST",
      `The upload ended early, after ${received} bytes. Send all of it again.`,
      error,
    );
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
