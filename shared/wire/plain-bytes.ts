/** The same bytes as a plain `Uint8Array`, so that what is decoded from them are not views of Node's `Buffer` class. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
