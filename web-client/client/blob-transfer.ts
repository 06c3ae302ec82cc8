import { digestListBytes } from "../../shared/client/data/chunk-reader.ts";
import type { BlobTransfer, FetchedPart } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { limits } from "../../shared/limits.ts";
import { PlatformError } from "../../shared/errors.ts";
import { createUplink } from "../../shared/uplink.ts";
import { hashBytes } from "./hash-bytes.ts";

/** A transfer that moves no byte for so long is given up; the core tries again (SPEC.md [WAIT-2]). */
const usualSilenceMs = 15_000;
/** A page cannot observe the progress of a piece of an upload, so a piece has time for 50 kB/s, a poor uplink. */
const slowestBytesPerMs = 50;
/** Speed at which a server with a slow disk hashes a blob whose digests are requested for the first time. */
const hashedBytesPerMs = 100_000;

/** Transfers blobs over HTTP, from and to the server whose address `server` returns. */
export function createBlobTransfer(server: () => string, silenceMs = usualSilenceMs): BlobTransfer {
  const address = (sha256: string): string => `${server()}api/blobs/${sha256}`;
  /** Asks the server for a redirect to where the blob is, except for a while after that failed (SPEC.md [BLOB-5]). */
  let direct = "?direct=1";
  const sendUpload = createUplink(() => performance.now());
  const bearer = (ticket: string): Record<string, string> => ({ authorization: `Bearer ${ticket}` });
  return {
    async fetch(name, range, ticket, part = { bytes: new Uint8Array(), length: 0 }) {
      // An HTTP range cannot be empty.
      if (range && range[0] === range[1]) return new Uint8Array();
      const [start, end] = range ?? [0, name.size];
      if (part.length >= end - start) part.length = 0;
      const headers = bearer(ticket);
      if (range || part.length > 0) headers["range"] = `bytes=${start + part.length}-${end - 1}`;
      let isPart = false;
      await request(
        address(name.sha256) + direct,
        { headers, cache: "no-store" },
        silenceMs,
        async (response, moved) => {
          isPart = response.status === 206;
          // A server that knows no ranges sends all of it.
          if (!isPart) part.length = 0;
          await readBehind(response, part, isPart ? end - start : name.size, moved);
        },
      ).catch((error: unknown) => {
        direct = direct ? "" : "?direct=1";
        throw error;
      });
      const bytes = part.bytes.subarray(0, part.length);
      // The next attempt must not append to wrong bytes.
      part.length = 0;
      await verify(bytes, name, isPart ? range : undefined);
      return range && !isPart ? bytes.slice(range[0], range[1]) : bytes;
    },
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
    hash: hashBytes,
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

function wrongLength({ sha256 }: BlobName, length: number, expected: number): PlatformError {
  const message = `Blob ${sha256} came with ${length} bytes; ${expected} were expected.`;
  return new PlatformError("HASH_MISMATCH", message);
}

/** Sends a request and applies `read` to its reply; gives up when nothing `moved` for `silenceMs`. */
async function request(
  url: string,
  init: RequestInit,
  silenceMs: number,
  read?: (response: Response, moved: () => void) => Promise<void>,
): Promise<void> {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const moved = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error(`nothing came for ${silenceMs} ms`)), silenceMs);
  };
  moved();
  try {
    const response = await fetch(url, { ...init, credentials: "omit", signal: silence.signal });
    if (!response.ok) throw PlatformError.fromReply(response.status, await response.text());
    await read?.(response, moved);
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError("UNREACHABLE", `The server could not be reached: ${String(error)}`, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a body behind what is there of `size` bytes; `part` keeps what came, also when the connection breaks. */
async function readBehind(
  response: Response,
  part: FetchedPart,
  size: number,
  moved: () => void,
): Promise<void> {
  if (part.bytes.length !== size) part.bytes = new Uint8Array(size);
  const reader = response.body?.getReader();
  for (let step = await reader?.read(); step?.value; step = await reader?.read()) {
    moved();
    const { value } = step;
    if (part.length + value.length > size) {
      part.length = 0;
      void reader?.cancel();
      throw new PlatformError("HASH_MISMATCH", `More than the ${size} bytes came that were expected.`);
    }
    part.bytes.set(value, part.length);
    part.length += value.length;
  }
}
