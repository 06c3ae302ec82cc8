import { createHash } from "node:crypto";
import { limits } from "../../shared/limits.ts";
import type { Sha256 } from "../../shared/ids.ts";

export async function hash(bytes: Uint8Array): Promise<Sha256> {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

/** The digests of a blob's chunks, concatenated, as a server sends them. */
export function chunkDigests(bytes: Uint8Array): Uint8Array {
  const digests: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += limits.chunkBytes)
    digests.push(
      createHash("sha256")
        .update(bytes.subarray(at, at + limits.chunkBytes))
        .digest(),
    );
  return new Uint8Array(Buffer.concat(digests));
}
