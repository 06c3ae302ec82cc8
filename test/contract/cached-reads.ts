import { BlobAccess } from "../../shared/client/data/blob-access.ts";
import type { BlobCache, BlobTransfer, SandboxHost } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";

/** Sources of a kernel's bytes: the server, the shell's cache after a restart, or the client's memory. */
export const origins = ["network", "cache", "memory"] as const;
export type Origin = (typeof origins)[number];

/**
 * Reads of a sandbox's host: the client core over the cache of a shell, with the blobs in one place only.
 *
 * @param hash - SHA-256 by the means of the platform
 */
export async function readsFrom(
  origin: Origin,
  cache: BlobCache,
  blobs: readonly Uint8Array[],
  hash: (bytes: Uint8Array) => Promise<Sha256>,
): Promise<SandboxHost["data"]> {
  const held = new Map<string, Uint8Array>();
  for (const bytes of blobs) held.set(await hash(bytes), bytes);
  if (origin === "cache") for (const [name, bytes] of held) await cache.put(name as Sha256, bytes);
  let online = origin !== "cache";
  const absent = async (): Promise<never> => {
    throw new PlatformError("NOT_FOUND", "These blobs are not to be fetched.");
  };
  const transfer: BlobTransfer = {
    fetch: async ({ sha256 }, range) => {
      const bytes = online ? held.get(sha256) : undefined;
      return bytes ? bytes.subarray(...(range ?? [])) : absent();
    },
    chunks: absent,
    hash,
    upload: absent,
  };
  const access = new BlobAccess({
    blobs: transfer,
    cache,
    clock: { now: () => performance.now(), setTimer: () => () => undefined },
    random: Math.random,
    log: () => undefined,
  });
  access.useTicket("ticket");
  if (origin === "memory") {
    for (const [sha256, { length }] of held) await access.read({ sha256, size: length } as BlobName);
    online = false;
  }
  return (name, range) => access.read(name, range);
}
