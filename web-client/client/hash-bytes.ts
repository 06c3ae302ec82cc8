import type { Sha256 } from "../../shared/ids.ts";

/** SHA-256 with what the browser has: `crypto.subtle` in a secure context, else JavaScript, which is loaded only then (2.7 KB). */
export async function hashBytes(bytes: Uint8Array): Promise<Sha256> {
  // `subtle` is declared as always there, and is missing on plain HTTP.
  const subtle = crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) return (await import("./hash-in-javascript.ts")).hashInJavaScript(bytes);
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") as Sha256;
}
