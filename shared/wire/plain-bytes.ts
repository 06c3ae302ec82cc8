/** The same bytes as a plain `Uint8Array`. Views that are cut from the result are then plain too, not of Node's `Buffer` class. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// A kernel shares this realm and may replace globals: this reference is taken before any kernel runs.
const Bytes = Uint8Array;
const { getPrototypeOf } = Object;
const { prototype } = Uint8Array;

/**
 * The same bytes as a plain `Uint8Array` whose buffer has exactly these bytes: a copy, unless they are so already. Bytes for a
 * sandbox are often a view of a whole message, and `bytes.buffer` would show all of the message to a kernel.
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
