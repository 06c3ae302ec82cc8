import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import type { Blobs } from "../../server/http/context.ts";
import type { Platform } from "../../server/platform.ts";
import type { BlobTransfer } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import type { ClientId, Sha256 } from "../../shared/ids.ts";

/** Reads blobs, kernels among them, straight from the store of this process, and stores those that its client uploads. */
export function createOwnTransfer(
  blobs: Blobs,
  platform: Pick<Platform, "kernel">,
  client: ClientId,
): BlobTransfer {
  return {
    async fetch(name, range) {
      const bytes = await read(blobs, platform, name, range);
      // The hash of a part is not known.
      if (range || digest(bytes) === name.sha256) return bytes;
      throw new PlatformError("HASH_MISMATCH", `Blob ${name.sha256} is not what it was when it was stored.`);
    },
    async chunks({ sha256 }) {
      const digests = await blobs.chunkDigests(sha256);
      if (!digests)
        throw new PlatformError("NOT_FOUND", `There is no blob ${sha256}.`, undefined, hints.blob);
      return new Uint8Array(digests);
    },
    hash: (bytes) => Promise.resolve(digest(bytes)),
    async upload(bytes) {
      const name = { sha256: digest(bytes), size: bytes.length };
      await blobs.write(name.sha256, once(bytes), { client }, bytes.length);
      return name;
    },
  };
}

async function read(
  blobs: Blobs,
  platform: Pick<Platform, "kernel">,
  { sha256 }: BlobName,
  range: readonly [number, number] | undefined,
): Promise<Uint8Array> {
  if (await blobs.stat(sha256)) return new Uint8Array(await buffer(blobs.open(sha256, range)));
  const kernel = await platform.kernel(sha256);
  if (kernel) return range ? kernel.slice(...range) : kernel;
  throw new PlatformError("NOT_FOUND", `There is no blob ${sha256}.`, undefined, hints.blob);
}

function digest(bytes: Uint8Array): Sha256 {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
