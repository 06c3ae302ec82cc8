import { toHex } from "../../shared/hex.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { hashInJavaScript } from "./hash-in-javascript.ts";

/**
 * SHA-256 by `crypto.subtle` in a secure context, else in JavaScript. The JavaScript is part of the page: as a file of its own it would
 * be one more request before the first task, and 1.4 KB more.
 */
export async function hashBytes(bytes: Uint8Array): Promise<Sha256> {
  // `subtle` is declared as always there, but missing on plain HTTP.
  const subtle = crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) return hashInJavaScript(bytes);
  return toHex(new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>))) as Sha256;
}
