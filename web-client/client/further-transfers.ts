import { digestListBytes } from "../../shared/client/data/chunk-reader.ts";
import type { BlobTransfer } from "../../shared/client/ports.ts";
import { limits } from "../../shared/limits.ts";
import { createUplink } from "../../shared/uplink.ts";
import { hashBytes } from "./hash-bytes.ts";
import { bearer, readBehind, request, wrongLength } from "./request.ts";

/** A page cannot observe the progress of a piece of an upload, so a piece has time for 50 kB/s, a poor uplink. */
const slowestBytesPerMs = 50;
/** Speed at which a server with a slow disk hashes a blob whose digests are requested for the first time. */
const hashedBytesPerMs = 100_000;

/**
 * Uploads, and digests of large blobs: the transfers of a page that its first task can do without, in a file of their own.
 * @param address - of the blob with a hash
 */
export function createFurtherTransfers(
  address: (sha256: string) => string,
  silenceMs: number,
): Pick<BlobTransfer, "chunks" | "upload"> {
  const sendUpload = createUplink(() => performance.now());
  return {
    async chunks(name, ticket) {
      const digests = { bytes: new Uint8Array(), length: 0 };
      const size = digestListBytes(name.size);
      const ms = silenceMs + name.size / hashedBytesPerMs;
      const init: RequestInit = { headers: bearer(ticket), cache: "no-store" };
      await request(
        `${address(name.sha256)}/chunks?bytes=${limits.chunkBytes}`,
        init,
        ms,
        (response, moved) => readBehind(response, digests, size, moved),
      );
      if (digests.length === size) return digests.bytes;
      throw wrongLength(name, digests.length, size);
    },
    async upload(bytes, ticket, part = { length: 0, isBegun: false }) {
      const sha256 = (part.sha256 ??= await hashBytes(bytes));
      await sendUpload(bytes.length, part, async ({ method, suffix, headers, start, end }) => {
        let offset = 0;
        const init: RequestInit = { method, headers: { ...bearer(ticket), ...headers } };
        if (method !== "HEAD") init.body = bytes.subarray(start, end) as Uint8Array<ArrayBuffer>;
        const ms = silenceMs + (end - start) / slowestBytesPerMs;
        await request(address(sha256) + suffix, init, ms, async (response) => {
          offset = Number(response.headers.get("upload-offset"));
        });
        return offset;
      });
      return { sha256, size: bytes.length };
    },
  };
}
