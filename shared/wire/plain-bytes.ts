/** The same bytes as a plain `Uint8Array`, so that what is decoded from them are not views of Node's `Buffer` class. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// Taken before any kernel runs: it shares the realm and may replace what it finds.
const Bytes = Uint8Array;
const { getPrototypeOf } = Object;
const { prototype } = Uint8Array;

/**
 * The same bytes as a plain `Uint8Array` whose buffer is exactly they: a copy, unless they are that already. What crosses into a
 * sandbox is often a view of the whole message it came in, and `bytes.buffer` would show a kernel all of that.
 */
export function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  if (
    getPrototypeOf(bytes) === prototype &&
    byteLength === buffer.byteLength &&
    buffer instanceof ArrayBuffer
  )
    return bytes as Uint8Array<ArrayBuffer>;
  return new Bytes(bytes);
}
