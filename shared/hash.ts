import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Sha256 } from "./ids.ts";

/**
 * SHA-256 in plain JavaScript, for origins without `crypto.subtle` (plain HTTP in a lab). Shells with a native hash use that
 * instead.
 */
export function sha256Hex(bytes: Uint8Array): Sha256 {
  return bytesToHex(sha256(bytes)) as Sha256;
}
