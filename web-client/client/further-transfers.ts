import { digestListBytes } from "../../shared/client/data/chunk-reader.ts";
import type { BlobTransfer } from "../../shared/client/ports.ts";
import { limits } from "../../shared/limits.ts";
import { createUplink } from "../../shared/uplink.ts";
import { hashBytes } from "./hash-bytes.ts";
import { bearer, fastBytesPerMs, readBehind, request, wrongLength } from "./request.ts";

/** A page cannot observe the progress of a piece of an upload, so a piece has time for 50 kB/s, a poor uplink. */
const slowestBytesPerMs = 50;
/** Speed at which a server with a slow disk hashes a blob whose digests are requested for the first time. */
const hashedBytesPerMs = 100_000;
/** A smaller piece tells more of the round trip than of the network. */
const tellingBytes = 64 * 1024;
/** Floats become 0.89 of their size. A sample from the middle tells such bytes. */
const sampleBytes = 4096;
const worthwhileRatio = 0.8;

/**
 * Uploads, and digests of large blobs: the transfers of a page that its first task can do without, in a file of their own.
 * @param address - of the blob with a hash
 */
export function createFurtherTransfers(
  address: (sha256: string) => string,
  silenceMs: number,
): Pick<BlobTransfer, "chunks" | "upload"> {
  const sendUpload = createUplink(() => performance.now());
  /** Address of the server that takes compressed pieces, while the network is slower than compression (SPEC.md [MILES-9]). */
  let compressTo: string | undefined;
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
        const [server, to] = [address(""), address(sha256)];
        const size = end - start;
        const init = { method, headers: { ...bearer(ticket), ...headers } } as Outgoing;
        if (method !== "HEAD") init.body = bytes.subarray(start, end) as Uint8Array<ArrayBuffer>;
        if (size >= tellingBytes && compressTo === server) await compress(init);
        const begunAt = performance.now();
        await request(to + suffix, init, silenceMs + size / slowestBytesPerMs, async (response) => {
          offset = Number(response.headers.get("upload-offset"));
          if (size < tellingBytes) return;
          const isSlow = size < fastBytesPerMs * (performance.now() - begunAt);
          const takes = response.headers.get("accept-encoding")?.includes("gzip");
          compressTo = isSlow && takes ? server : undefined;
        }).catch((error: unknown) => {
          // Behind a balancer the address may be that of an older server now.
          compressTo = undefined;
          throw error;
        });
        return offset;
      });
      return { sha256, size: bytes.length };
    },
  };
}

interface Outgoing extends RequestInit {
  readonly headers: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
}

/** Compresses a body of at least 4 KiB that shrinks. */
async function compress(init: Outgoing): Promise<void> {
  const bytes = init.body;
  if (!bytes) return;
  const middle = (bytes.length - sampleBytes) >> 1;
  const sample = await gzipped(bytes.subarray(middle, middle + sampleBytes));
  if (sample.length >= worthwhileRatio * sampleBytes) return;
  init.body = await gzipped(bytes);
  init.headers["content-encoding"] = "gzip";
}

async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
