import { close, open, read } from "node:fs";
import { promisify } from "node:util";
import type { Writable } from "node:stream";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { readError } from "./read.ts";

const openFile = promisify(open);
const readFile = promisify(read);
const closeFile = promisify(close);

const bufferBytes = 256 * 1024;
/** Buffers kept for later replies: 8 MiB. */
const keptBuffers = 32;
const free: Buffer[] = [];

/**
 * Writes the bytes `[start, end)` of a file to a reply and ends it. All bytes pass through one buffer, filled again
 * once its bytes have left: a reader that stops reading holds 256 KiB, and the server takes 1.2 s of processor time
 * a GiB.
 * @param sink - calls back when it does not need the bytes any more, as a socket does
 * @param isSound - whether the blob has the hash of its name; the last bytes wait for the answer, and are not sent after a no
 * @throws PlatformError NOT_FOUND, STORE_FAILED; an Error when the reader has gone
 */
export async function sendFile(
  path: string,
  sha256: Sha256,
  [start, end]: readonly [start: number, end: number],
  sink: Writable,
  isSound?: () => Promise<boolean>,
): Promise<void> {
  const file = await openFile(path, "r").catch((error: Error) => {
    throw readError(error, sha256);
  });
  const buffer = free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  const gone = whenClosed(sink);
  try {
    for (let at = start; at < end;) {
      const { bytesRead } = await readFile(file, buffer, 0, Math.min(bufferBytes, end - at), at);
      if (bytesRead === 0)
        throw new PlatformError("STORE_FAILED", `Blob ${sha256} is shorter on disk than it was.`);
      if (isSound && at + bytesRead >= end && !(await isSound())) throw damaged(sha256);
      if (sink.destroyed) await gone.promise;
      await Promise.race([written(sink, buffer.subarray(0, bytesRead)), gone.promise]);
      at += bytesRead;
    }
    // Kept on success only: after an unconfirmed write the system may still read from the buffer.
    if (free.length < keptBuffers) free.push(buffer);
    sink.end();
  } finally {
    gone.forget();
    await closeFile(file);
  }
}

function damaged(sha256: Sha256): PlatformError {
  return new PlatformError("STORE_FAILED", `Blob ${sha256} is damaged on the server's disk.`);
}

function written(sink: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** Rejects when the reader goes: a broken connection does not call back for every write. */
function whenClosed(sink: Writable): { promise: Promise<never>; forget(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  const closed = (): void => reject(new Error("the reader has gone"));
  if (sink.destroyed) closed();
  else sink.once("close", closed);
  return { promise, forget: () => sink.off("close", closed) };
}
