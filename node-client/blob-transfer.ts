import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { digestListBytes } from "../shared/client/data/chunk-reader.ts";
import type { BlobTransfer, FetchedPart } from "../shared/client/ports.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import type { Sha256 } from "../shared/ids.ts";
import { Connections, watchSilence } from "../system/connections.ts";

/** A transfer that moves no byte for so long is given up; the core tries again (SPEC.md [WAIT-2]). */
const usualSilenceMs = 15_000;
/** What a server hashes when a blob's digests are first asked for, on a slow disk. */
const hashedBytesPerMs = 100_000;
/** What a server flushes to a slow disk, once it has all of a blob. */
const flushedBytesPerMs = 50_000;

/** What a refusal says is short. */
const refusalBytes = 64 * 1024;

/** Blobs to and from the server at `serverUrl`, over HTTP. */
export function createBlobTransfer(serverUrl: string, silenceMs = usualSilenceMs): BlobTransfer {
  const address = (sha256: string): URL => new URL(`api/blobs/${sha256}`, serverUrl);
  const send = new Sender(silenceMs);
  return {
    async fetch(name, range, ticket, part = { bytes: new Uint8Array(), length: 0 }) {
      // An HTTP range cannot say "nothing".
      if (range && range[0] === range[1]) return new Uint8Array();
      const [start, end] = range ?? [0, name.size];
      if (part.length >= end - start) part.length = 0;
      const from = start + part.length;
      const headers: Record<string, string> = { authorization: `Bearer ${ticket}` };
      if (range || part.length > 0) headers["range"] = `bytes=${from}-${end - 1}`;
      const response = await send.request(address(name.sha256), { headers });
      return receive(response, name, range, part);
    },
    async chunks(name, ticket) {
      const headers = { authorization: `Bearer ${ticket}` };
      const url = new URL(`${address(name.sha256).href}/chunks`);
      const response = await send.request(url, { headers, workMs: name.size / hashedBytesPerMs });
      const digests = new Uint8Array(digestListBytes(name.size));
      if ((await readInto(digests, 0, response)) === digests.length) return digests;
      throw wrongBytes(name, `digests that are not the ${digests.length} bytes expected`);
    },
    async hash(bytes) {
      return createHash("sha256").update(bytes).digest("hex") as Sha256;
    },
    async upload(bytes, ticket) {
      const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
      const response = await send.request(address(sha256), {
        method: "PUT",
        headers: { authorization: `Bearer ${ticket}`, "content-type": "application/octet-stream" },
        body: bytes,
        workMs: bytes.length / flushedBytesPerMs,
      });
      response.resume();
      return { sha256, size: bytes.length };
    },
  };
}

/**
 * Reads the body behind what is there of the bytes, and checks them.
 * @param part - keeps what came, also when the connection breaks
 */
async function receive(
  response: IncomingMessage,
  name: BlobName,
  range: readonly [number, number] | undefined,
  part: FetchedPart,
): Promise<Uint8Array> {
  const isPart = response.statusCode === 206;
  // A server that knows no ranges sends all of it.
  if (!isPart) part.length = 0;
  const size = isPart && range ? range[1] - range[0] : name.size;
  // Not zeroed, and not from Node's pool of small buffers: it is filled, or nobody sees it.
  if (part.bytes.length !== size) part.bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  const { bytes } = part;
  const isWhole = !isPart || !range;
  // Of a part only the length can be checked.
  const hash = isWhole ? createHash("sha256").update(bytes.subarray(0, part.length)) : undefined;
  const length = await readInto(bytes, part.length, response, (chunk) => {
    hash?.update(chunk);
    part.length += chunk.length;
  });
  // What is wrong is not gone on with.
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
 * Fills `bytes` behind `start` from the body; tells how many are there then, and stops when it is more than fits.
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
    for await (const chunk of response as AsyncIterable<Buffer>) {
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
  readonly method?: "GET" | "PUT";
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
  /** What the server may take for its answer beyond the usual. */
  readonly workMs?: number;
}

/** Sends requests. Not `fetch`: 1,024 blobs of 1 MiB fetched four at once took this process a quarter more time with it. */
class Sender {
  readonly #silenceMs: number;
  readonly #connections = new Connections();

  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
  }

  /** @throws PlatformError UNREACHABLE, or what the server refused with */
  async request(url: URL, { body, method = "GET", headers, workMs }: Outgoing): Promise<IncomingMessage> {
    let response: IncomingMessage;
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
    const { statusCode = 500 } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    const text = Buffer.alloc(refusalBytes);
    const length = await readInto(text, 0, response);
    throw PlatformError.fromReply(statusCode, text.toString("utf8", 0, length));
  }
}

/** What is underneath, where an error says only that it was aborted. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
