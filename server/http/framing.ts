import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";

/** Cuts a stream of bytes into the raw items it is made of; each array is what one chunk completed. */
export type Framing = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array[]>;

const newline = 10;

/**
 * Lines, without their ends; blank ones included, so that they count. Holds at most one line.
 * @throws PlatformError TOO_LARGE
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array[]> {
  // Kept in pieces and joined once: joining at every chunk would make a long line cost its square.
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

/** Largest item of a MessagePack stream: an inline value, the most references a task may have, and room. */
const itemBytes = limits.inlineValueBytes + limits.refsPerTask * 128 + 4096;
/** Parts an item may still announce at any point; more would only make a decoder reserve memory. */
const itemParts = limits.refsPerTask * 4;

/**
 * Concatenated MessagePack values, each as its bytes. They are measured here and decoded one by one later: a streaming
 * decoder neither bounds an item nor tells a stream that ends in the middle of one.
 * @throws PlatformError TOO_LARGE, BAD_REQUEST
 */
export async function* splitMessagePack(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array[]> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const items: Uint8Array[] = [];
    let at = 0;
    let failure: PlatformError | undefined;
    try {
      for (let end = endOfValue(view, at); end !== undefined; end = endOfValue(view, at)) {
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

/** Where the value at `start` ends, or undefined when the bytes do not reach so far. */
function endOfValue(view: DataView, start: number): number | undefined {
  let at = start;
  for (let parts = 1; parts > 0; parts--) {
    const head = at < view.byteLength ? headAt(view, at) : undefined;
    if (!head) return undefined;
    at += head.bytes;
    parts += head.parts;
    if (at - start > itemBytes || parts > itemParts)
      throw new PlatformError(
        "TOO_LARGE",
        `The item is over ${itemBytes} bytes. Put inputs over ${limits.inlineValueBytes} bytes as blobs and name them.`,
      );
  }
  return at <= view.byteLength ? at : undefined;
}

/** Bytes of a value without the values inside it, and how many of those there are. MessagePack specification, "Formats". */
function headAt(view: DataView, at: number): { bytes: number; parts: number } | undefined {
  const type = view.getUint8(at);
  if (type <= 0x7f || type >= 0xe0) return { bytes: 1, parts: 0 };
  if (type <= 0x8f) return { bytes: 1, parts: (type & 15) * 2 };
  if (type <= 0x9f) return { bytes: 1, parts: type & 15 };
  if (type <= 0xbf) return { bytes: 1 + (type & 31), parts: 0 };
  const fixed = fixedSizes[type - 0xc0];
  if (fixed !== undefined) return { bytes: fixed, parts: 0 };
  const sized = sizedTypes.get(type);
  if (!sized) throw new PlatformError("BAD_REQUEST", `0x${type.toString(16)} is no MessagePack type.`);
  if (at + 1 + sized.width > view.byteLength) return undefined;
  const count =
    sized.width === 1
      ? view.getUint8(at + 1)
      : sized.width === 2
        ? view.getUint16(at + 1)
        : view.getUint32(at + 1);
  return { bytes: 1 + sized.width + sized.extra + count * sized.each, parts: count * sized.parts };
}

const none = undefined;
// prettier-ignore
/** Sizes of 0xc0 … 0xdf where the type alone tells. */
const fixedSizes: readonly (number | undefined)[] = [
  1, none, 1, 1, none, none, none, none, none, none, 5, 9, 2, 3, 5, 9,
  2, 3, 5, 9, 3, 4, 6, 10, 18, none, none, none, none, none, none, none,
];

const bytesOf = (width: number, extra = 0) => ({ width, extra, each: 1, parts: 0 });
const partsOf = (width: number, parts: number) => ({ width, extra: 0, each: 0, parts });
/** bin, ext, str, array and map with a size of 8, 16 or 32 bits. */
const sizedTypes = new Map<number, { width: number; extra: number; each: number; parts: number }>([
  [0xc4, bytesOf(1)],
  [0xc5, bytesOf(2)],
  [0xc6, bytesOf(4)],
  [0xc7, bytesOf(1, 1)],
  [0xc8, bytesOf(2, 1)],
  [0xc9, bytesOf(4, 1)],
  [0xd9, bytesOf(1)],
  [0xda, bytesOf(2)],
  [0xdb, bytesOf(4)],
  [0xdc, partsOf(2, 1)],
  [0xdd, partsOf(4, 1)],
  [0xde, partsOf(2, 2)],
  [0xdf, partsOf(4, 2)],
]);
