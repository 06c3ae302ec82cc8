import { messageOf, PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import { BeyondBounds, endOfMessagePack, messagePackBounds } from "../../shared/wire/messagepack-walk.ts";

/** Cuts a stream of bytes into raw items; each array has the items that one chunk completes. */
export type Framing = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array[]>;

const newline = 10;

/**
 * Lines without their ends, blank lines included, so that line numbers are right. Holds at most one line.
 * @throws PlatformError TOO_LARGE
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array[]> {
  // Pieces are joined once: joining at every chunk would make a long line cost its square.
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const chunk of chunks) {
    const lines: Uint8Array[] = [];
    let at = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, at)) {
      const piece = chunk.subarray(at, end);
      lines.push(rest.length > 0 ? Buffer.concat([...rest, piece]) : piece);
      rest = [];
      restBytes = 0;
      at = end + 1;
    }
    if (at < chunk.length) rest.push(chunk.subarray(at));
    restBytes += chunk.length - at;
    if (lines.length > 0) yield lines;
    if (restBytes > limits.bodyBytes)
      throw new PlatformError("TOO_LARGE", `The line is over ${limits.bodyBytes} bytes long.`);
  }
  if (rest.length > 0) yield [Buffer.concat(rest)];
}

/**
 * The bytes of each of the concatenated MessagePack values. Values are measured here and decoded one by one later, because a
 * streaming decoder neither bounds an item nor notices a stream that ends within an item.
 * @throws PlatformError TOO_LARGE, BAD_REQUEST
 */
export async function* splitMessagePack(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array[]> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const items: Uint8Array[] = [];
    let at = 0;
    let failure: PlatformError | undefined;
    try {
      for (let end = endOfItem(bytes, at); end !== undefined; end = endOfItem(bytes, at)) {
        items.push(bytes.subarray(at, end));
        at = end;
      }
    } catch (error) {
      failure = PlatformError.from(error);
    }
    rest = bytes.subarray(at);
    if (items.length > 0) yield items;
    if (failure) throw failure;
  }
  if (rest.length > 0)
    throw new PlatformError("BAD_REQUEST", "The stream ends in the middle of a MessagePack value.");
}

/** The position after the item at `start`, or undefined when the bytes end before. */
function endOfItem(bytes: Uint8Array, start: number): number | undefined {
  try {
    return endOfMessagePack(bytes, start, messagePackBounds.item);
  } catch (error) {
    const reason = messageOf(error);
    throw error instanceof BeyondBounds
      ? new PlatformError(
          "TOO_LARGE",
          `The item is larger than a task may be: ${reason}. Put inputs over ${limits.inlineValueBytes} bytes as blobs and name them.`,
        )
      : new PlatformError("BAD_REQUEST", `The item cannot be decoded: ${reason}.`);
  }
}
