import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { digestListBytes } from "../shared/client/data/chunk-reader.ts";
import type { BlobTransfer, FetchedPart } from "../shared/client/ports.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { limits } from "../shared/limits.ts";
import { PlatformError } from "../shared/errors.ts";
import type { Sha256 } from "../shared/ids.ts";
import { createUplink, type UploadRequest } from "../shared/uplink.ts";
import { Connections, watchSilence } from "../system/connections.ts";
import { Distance, plainReply } from "../system/distance.ts";
import { bufferTransferred } from "../system/garbage.ts";

/** Time without a byte after which a transfer is given up; the core tries again (SPEC.md [WAIT-2]). */
const usualSilenceMs = 15_000;
/** Speed at which a server with a slow disk hashes a blob whose digests are requested for the first time. */
const hashedBytesPerMs = 100_000;
/** Speed of a slow server disk, on which the server flushes a whole blob before it answers. */
const flushedBytesPerMs = 50_000;

/** Time for which blobs are fetched from the server after a fetch from where it said has failed. */
const indirectMs = 10 * 60_000;
/** Status of a reply that says where a blob is. */
const redirected = 307;

/** Most bytes of a refusal. */
const refusalBytes = 64 * 1024;

/** Transfers blobs over HTTP, from and to the server whose address `server` returns. */
export function createBlobTransfer(server: () => string, silenceMs = usualSilenceMs): BlobTransfer {
  const address = (sha256: string): URL => new URL(`api/blobs/${sha256}`, server());
  const distance = new Distance();
  const send = new Sender(silenceMs, distance);
  const sendUpload = createUplink(() => performance.now());
  return {
    async fetch(name, range, ticket, part = { bytes: new Uint8Array(), length: 0 }) {
      // An HTTP range cannot be empty.
      if (range && range[0] === range[1]) return new Uint8Array();
      const [start, end] = range ?? [0, name.size];
      if (part.length >= end - start) part.length = 0;
      const from = start + part.length;
      const headers: Record<string, string> = { authorization: `Bearer ${ticket}` };
      if (range || part.length > 0) headers["range"] = `bytes=${from}-${end - 1}`;
      else Object.assign(headers, (await distance.compressed(undefined, server())).headers);
      const response = await send.blob(address(name.sha256), headers);
      return receive(response, name, range, part);
    },
    async chunks(name, ticket) {
      const headers = { authorization: `Bearer ${ticket}` };
      const url = new URL(`${address(name.sha256).href}/chunks?bytes=${limits.chunkBytes}`);
      const response = await send.request(url, { headers, workMs: name.size / hashedBytesPerMs });
      const digests = new Uint8Array(digestListBytes(name.size));
      if ((await readInto(digests, 0, response)) === digests.length) return digests;
      throw wrongBytes(name, `digests that are not the ${digests.length} bytes expected`);
    },
    async hash(bytes) {
      return createHash("sha256").update(bytes).digest("hex") as Sha256;
    },
    async upload(bytes, ticket, part = { length: 0, isBegun: false }) {
      const sha256 = (part.sha256 ??= createHash("sha256").update(bytes).digest("hex") as Sha256);
      const type = "application/octet-stream";
      await sendUpload(bytes.length, part, async ({ method, suffix, headers, start, end }) => {
        const url = address(sha256).href + suffix;
        const { body, headers: encoding } = await distance.compressed(
          bytes.subarray(start, end),
          new URL(url).origin,
        );
        const response = await send.request(new URL(url), {
          method,
          headers: { authorization: `Bearer ${ticket}`, "content-type": type, ...headers, ...encoding },
          ...(method !== "HEAD" && { body }),
          // The last piece is answered when all of them are on disk.
          workMs: end === bytes.length ? end / flushedBytesPerMs : 0,
        });
        response.resume();
        return Number(response.headers["upload-offset"]);
      });
      bufferTransferred(bytes.length);
      return { sha256, size: bytes.length };
    },
    renew: () => send.renew(),
  };
}

/**
 * Reads the body of a reply after the bytes that are already here, and checks all bytes.
 * @param part - keeps received bytes, also when the connection breaks
 */
async function receive(
  response: IncomingMessage,
  name: BlobName,
  range: readonly [number, number] | undefined,
  part: FetchedPart,
): Promise<Uint8Array> {
  const isPart = response.statusCode === 206;
  // A server without ranges sends the whole blob.
  if (!isPart) part.length = 0;
  const size = isPart && range ? range[1] - range[0] : name.size;
  // The buffer is not zeroed, because it is used only after it is filled, and not from Node's pool of small buffers.
  if (part.bytes.length !== size) part.bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  const { bytes } = part;
  const isWhole = !isPart || !range;
  // Of a part only the length can be checked.
  const hash = isWhole ? createHash("sha256").update(bytes.subarray(0, part.length)) : undefined;
  const length = await readInto(bytes, part.length, response, (chunk) => {
    hash?.update(chunk);
    part.length += chunk.length;
  });
  bufferTransferred(bytes.length);
  // The next attempt must not append to wrong bytes.
  part.length = 0;
  if (length !== bytes.length)
    throw wrongBytes(
      name,
      `${length > bytes.length ? "more than " : ""}${Math.min(length, bytes.length)} bytes; ${bytes.length} were expected`,
    );
  if (hash && hash.digest("hex") !== name.sha256) throw wrongBytes(name, "bytes of another hash");
  return range && isWhole ? bytes.slice(range[0], range[1]) : bytes;
}

/**
 * Appends the body to `bytes` from `start` on, and stops when it exceeds the room.
 * @returns the length then
 * @throws PlatformError UNREACHABLE
 */
async function readInto(
  bytes: Uint8Array,
  start: number,
  response: IncomingMessage,
  seen?: (chunk: Uint8Array) => void,
): Promise<number> {
  let length = start;
  try {
    // Leaving the loop destroys the connection.
    for await (const chunk of plainReply(response) as AsyncIterable<Buffer>) {
      if (length + chunk.length > bytes.length) return length + chunk.length;
      bytes.set(chunk, length);
      length += chunk.length;
      seen?.(chunk);
    }
    return length;
  } catch (error) {
    throw new PlatformError("UNREACHABLE", `The connection broke in mid-transfer: ${reasonOf(error)}`, error);
  }
}

function wrongBytes({ sha256 }: BlobName, what: string): PlatformError {
  return new PlatformError("HASH_MISMATCH", `Blob ${sha256} came with ${what}.`);
}

interface Outgoing {
  readonly method?: "GET" | UploadRequest["method"];
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
  /** Extra time for the server's work before it answers. */
  readonly workMs?: number;
  /** Whether a redirect is an answer. */
  readonly mayRedirect?: boolean;
}

/** Sends requests over node:http, which costs less processor time than `fetch`. */
class Sender {
  readonly #silenceMs: number;
  readonly #distance: Distance;
  readonly #connections = new Connections();
  /** Until then blobs are fetched from the server, by `performance.now()`. */
  #indirectUntil = 0;

  constructor(silenceMs: number, distance: Distance) {
    this.#silenceMs = silenceMs;
    this.#distance = distance;
  }

  /** Gives up all connections, with the transfers on them. */
  renew(): void {
    this.#connections.renew(true);
  }

  /**
   * Gets a blob from where the server says, or from the server when it cannot be fetched there (SPEC.md [BLOB-5]).
   * @throws PlatformError UNREACHABLE, or the server's refusal
   */
  async blob(url: URL, headers: Record<string, string>): Promise<IncomingMessage> {
    if (performance.now() < this.#indirectUntil) return this.request(url, { headers });
    const response = await this.request(new URL("?direct=1&gzip=1", url), { headers, mayRedirect: true });
    if (response.statusCode !== redirected) return response;
    response.resume();
    const { authorization: _, ...others } = headers;
    try {
      return await this.request(new URL(response.headers.location ?? "", url), { headers: others });
    } catch {
      this.#indirectUntil = performance.now() + indirectMs;
      return this.request(url, { headers });
    }
  }

  /** @throws PlatformError UNREACHABLE, or the server's refusal */
  async request(
    url: URL,
    { body, method = "GET", headers, workMs, mayRedirect = false }: Outgoing,
  ): Promise<IncomingMessage> {
    let response: IncomingMessage;
    const begunAt = performance.now();
    try {
      response = await new Promise((resolve, reject) => {
        const sent = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
          agent: this.#connections.agentOf(url),
          method,
          headers: { ...headers, ...(body && { "content-length": body.length }) },
        });
        const onSilence = (): void => this.#connections.renew();
        watchSilence(sent, { silenceMs: this.#silenceMs, workMs, onSilence });
        sent.once("response", resolve);
        sent.on("error", reject);
        sent.end(body);
      });
    } catch (error) {
      throw new PlatformError("UNREACHABLE", `The server could not be reached: ${reasonOf(error)}`, error);
    }
    const ms = workMs ? undefined : performance.now() - begunAt;
    this.#distance.answered(ms, url.origin, response.headers["accept-encoding"], body?.length);
    const { statusCode = 500 } = response;
    if ((statusCode >= 200 && statusCode < 300) || (mayRedirect && statusCode === redirected))
      return response;
    const text = Buffer.alloc(refusalBytes);
    const length = await readInto(text, 0, response);
    throw PlatformError.fromReply(statusCode, text.toString("utf8", 0, length));
  }
}

/** The underlying cause, because some errors only say that a request was aborted. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
