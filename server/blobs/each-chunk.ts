import { finished, Readable } from "node:stream";
import { PlatformError } from "../../shared/errors.ts";

/** The bytes of an upload: a request, a file, a generator. The source does not reuse a chunk that it gave. */
export type ByteSource = AsyncIterable<Uint8Array> | Readable;

/** The source of an upload failed: its sender is gone, or the connection broke. */
export class EndedEarly extends PlatformError {
  constructor(received: number, cause: unknown) {
    super("BAD_REQUEST", `The upload ended early, after ${received} bytes.`, cause);
  }
}

/** Takes a chunk; the next chunk comes when the returned promise has resolved. */
type Take = (chunk: Uint8Array) => Promise<void> | undefined;

/**
 * Gives every chunk to `take`. A source that is refused in the middle is paused, not destroyed: the caller answers
 * on the same connection.
 * @throws EndedEarly when the source fails; errors of `take`
 */
export function eachChunk(source: ByteSource, take: Take): Promise<void> {
  return source instanceof Readable ? eachOfStream(source, take) : eachOfIterable(source, take);
}

/** Reads by events: an iterator takes some ten promises a chunk, 13 % more processor time. */
function eachOfStream(source: Readable, take: Take): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0;
    let taking: Promise<void> | undefined;
    // Stops at once: the caller drains the remaining chunks.
    const stop = (): void => {
      forget();
      source.off("data", hear);
      source.pause();
    };
    const fail = (error: unknown): void => {
      stop();
      reject(error);
    };
    const hear = (chunk: Uint8Array): void => {
      received += chunk.length;
      try {
        taking = take(chunk);
      } catch (error) {
        return fail(error);
      }
      if (!taking) return;
      source.pause();
      taking.then(() => source.resume(), fail);
    };
    const forget = finished(source, { writable: false }, (error) => {
      if (error) return fail(endedEarly(received, error));
      stop();
      resolve(taking);
    });
    source.on("data", hear);
  });
}

async function eachOfIterable(source: AsyncIterable<Uint8Array>, take: Take): Promise<void> {
  for await (const chunk of named(source)) await take(chunk);
}

async function* named(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let received = 0;
  try {
    for await (const chunk of source) {
      received += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw endedEarly(received, error);
  }
}

function endedEarly(received: number, error: unknown): PlatformError {
  return error instanceof PlatformError ? error : new EndedEarly(received, error);
}
