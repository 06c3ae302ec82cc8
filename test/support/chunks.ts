import { createHash } from "node:crypto";
import { limits } from "../../shared/limits.ts";
import type { Sha256 } from "../../shared/ids.ts";

export async function hash(bytes: Uint8Array): Promise<Sha256> {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

/** The digests of a blob's chunks, one behind the other, as a server tells them. */
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
