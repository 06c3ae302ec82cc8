/** Lower-case hexadecimal. `Uint8Array.prototype.toHex` is missing in browsers of a year ago. */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}
