import { loaded } from "../../shared/client/data/loaded.ts";
import type { BlobTransfer } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { hashBytes } from "./hash-bytes.ts";
import { bearer, fastBytesPerMs, readBehind, request, wrongLength } from "./request.ts";

/** A transfer that moves no byte for so long is given up; the core tries again (SPEC.md [WAIT-2]). */
const usualSilenceMs = 15_000;

/** A smaller blob tells more of the round trip than of the network. */
const tellingBytes = 256 * 1024;

type FurtherTransfers = Pick<BlobTransfer, "chunks" | "upload">;

/** Transfers blobs over HTTP, from and to the server whose address `server` returns. */
export function createBlobTransfer(server: () => string, silenceMs = usualSilenceMs): BlobTransfer {
  const address = (sha256: string): string => `${server()}api/blobs/${sha256}`;
  /** Asks the server for a redirect to where the blob is, except for a while after that failed (SPEC.md [BLOB-5]). */
  let direct = "direct=1&";
  /** Asks for compressed blobs while the network is slower than compression (SPEC.md [MILES-9]). */
  let gzip = "";
  let furtherTransfers: FurtherTransfers | undefined;
  const further = async (): Promise<FurtherTransfers> => {
    const { createFurtherTransfers } = await loaded(import("./further-transfers.ts"));
    return (furtherTransfers ??= createFurtherTransfers(address, silenceMs));
  };
  return {
    async fetch(name, range, ticket, part = { bytes: new Uint8Array(), length: 0 }) {
      // An HTTP range cannot be empty.
      if (range && range[0] === range[1]) return new Uint8Array();
      const [start, end] = range ?? [0, name.size];
      if (part.length >= end - start) part.length = 0;
      const headers = bearer(ticket);
      if (range || part.length > 0) headers["range"] = `bytes=${start + part.length}-${end - 1}`;
      let isPart = false;
      const begunAt = performance.now();
      await request(
        `${address(name.sha256)}?${direct}${gzip}`,
        { headers, cache: "no-store" },
        silenceMs,
        async (response, moved) => {
          isPart = response.status === 206;
          // A server that knows no ranges sends all of it.
          if (!isPart) part.length = 0;
          await readBehind(response, part, isPart ? end - start : name.size, moved);
        },
      ).catch((error: unknown) => {
        direct = direct ? "" : "direct=1&";
        throw error;
      });
      const bytes = part.bytes.subarray(0, part.length);
      // The next attempt must not append to wrong bytes.
      part.length = 0;
      if (bytes.length > tellingBytes)
        gzip = bytes.length < fastBytesPerMs * (performance.now() - begunAt) ? "gzip=1" : "";
      await verify(bytes, name, isPart ? range : undefined);
      return range && !isPart ? bytes.slice(range[0], range[1]) : bytes;
    },
    chunks: async (name, ticket) => (await further()).chunks(name, ticket),
    hash: hashBytes,
    upload: async (...upload) => (await further()).upload(...upload),
  };
}

/** Checks that a whole blob has the hash in its name, and a part the length that was asked for. */
async function verify(
  bytes: Uint8Array,
  name: BlobName,
  part: readonly [number, number] | undefined,
): Promise<void> {
  const expected = part ? part[1] - part[0] : name.size;
  if (bytes.length !== expected) throw wrongLength(name, bytes.length, expected);
  if (part) return;
  const actual = await hashBytes(bytes);
  if (actual !== name.sha256)
    throw new PlatformError("HASH_MISMATCH", `Blob ${name.sha256} came with bytes that hash to ${actual}.`);
}
