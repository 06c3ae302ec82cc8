import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { digestListBytes } from "../shared/client/data/chunk-reader.ts";
import type { BlobTransfer } from "../shared/client/ports.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import type { Sha256 } from "../shared/ids.ts";

/** A transfer that moves nothing for so long is given up; the core tries again. */
const stalledMs = 60_000;
/** The server hashes a blob when its digests are first asked for: 16 GiB take it half a minute on a slow disk. */
const digestsMs = 180_000;
/** What an upload is given time for at the least: 50 kB/s, a poor uplink. */
const slowestBytesPerMs = 50;

/** What a refusal says is short. */
const refusalBytes = 64 * 1024;

/** Blobs to and from the server at `serverUrl`, over HTTP. */
export function createBlobTransfer(serverUrl: string): BlobTransfer {
  const address = (sha256: string): URL => new URL(`api/blobs/${sha256}`, serverUrl);
  return {
    async fetch(name, range, ticket) {
      // An HTTP range cannot say "nothing".
      if (range && range[0] === range[1]) return new Uint8Array();
      const headers: Record<string, string> = { authorization: `Bearer ${ticket}` };
      if (range) headers["range"] = `bytes=${range[0]}-${range[1] - 1}`;
      const stall = new Stall();
      try {
        const response = await request(address(name.sha256), { headers, signal: stall.signal });
        return await receive(response, name, range, stall);
      } finally {
        stall.end();
      }
    },
    async chunks(name, ticket) {
      const headers = { authorization: `Bearer ${ticket}` };
      const signal = AbortSignal.timeout(digestsMs);
      const response = await request(new URL(`${address(name.sha256).href}/chunks`), { headers, signal });
      const digests = new Uint8Array(digestListBytes(name.size));
      if ((await readInto(digests, response)) === digests.length) return digests;
      throw wrongBytes(name, `digests that are not the ${digests.length} bytes expected`);
    },
    async hash(bytes) {
      return createHash("sha256").update(bytes).digest("hex") as Sha256;
    },
    async upload(bytes, ticket) {
      const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
      const response = await request(address(sha256), {
        method: "PUT",
        headers: { authorization: `Bearer ${ticket}`, "content-type": "application/octet-stream" },
        body: bytes,
        signal: AbortSignal.timeout(stalledMs + Math.ceil(bytes.length / slowestBytesPerMs)),
      });
      response.resume();
      return { sha256, size: bytes.length };
    },
  };
}

/** Aborts what it is given to when nothing was heard for a while. */
class Stall {
  readonly #controller = new AbortController();
  readonly #timer = setTimeout(
    () => this.#controller.abort(new Error(`nothing came for ${stalledMs / 1000} s`)),
    stalledMs,
  );
  readonly signal = this.#controller.signal;
  moved(): void {
    this.#timer.refresh();
  }
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Reads the body into one array of the expected size, hashing on the way. */
async function receive(
  response: IncomingMessage,
  name: BlobName,
  range: readonly [number, number] | undefined,
  stall: Stall,
): Promise<Uint8Array> {
  const part = range !== undefined && response.statusCode === 206;
  // Not zeroed, and not from Node's pool of small buffers: it is filled, or nobody sees it.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(part ? range[1] - range[0] : name.size).buffer);
  const hash = part ? undefined : createHash("sha256");
  const length = await readInto(bytes, response, (chunk) => {
    hash?.update(chunk);
    stall.moved();
  });
  if (length !== bytes.length)
    throw wrongBytes(
      name,
      `${length > bytes.length ? "more than " : ""}${Math.min(length, bytes.length)} bytes; ${bytes.length} were expected`,
    );
  // Of a part only the length can be checked.
  if (hash && hash.digest("hex") !== name.sha256) throw wrongBytes(name, "bytes of another hash");
  return range && !part ? bytes.slice(range[0], range[1]) : bytes;
}

/**
 * Fills `bytes` from the body; tells how much came, and stops when it is more than fits.
 * @throws PlatformError UNREACHABLE
 */
async function readInto(
  bytes: Uint8Array,
  response: IncomingMessage,
  seen?: (chunk: Uint8Array) => void,
): Promise<number> {
  let length = 0;
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
  readonly signal: AbortSignal;
}

/**
 * One request. Not `fetch`: 1,024 blobs of 1 MiB fetched four at once took this process a quarter more time with it.
 * @throws PlatformError UNREACHABLE, or what the server refused with
 */
async function request(url: URL, { body, method = "GET", ...options }: Outgoing): Promise<IncomingMessage> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  let response: IncomingMessage;
  try {
    response = await new Promise((resolve, reject) => {
      const sent = send(url, {
        ...options,
        method,
        ...(body && { headers: { ...options.headers, "content-length": body.length } }),
      });
      sent.once("response", resolve);
      sent.on("error", reject);
      sent.end(body);
    });
  } catch (error) {
    throw new PlatformError("UNREACHABLE", `The server could not be reached: ${reasonOf(error)}`, error);
  }
  const { statusCode = 500 } = response;
  if (statusCode >= 200 && statusCode < 300) return response;
  throw await refusal(response, statusCode);
}

async function refusal(response: IncomingMessage, status: number): Promise<PlatformError> {
  try {
    const bytes = Buffer.alloc(refusalBytes);
    const length = await readInto(bytes, response);
    const body: unknown = JSON.parse(bytes.toString("utf8", 0, length));
    const { code, message } = body as { code: unknown; message: unknown };
    if (typeof code === "string" && typeof message === "string")
      return PlatformError.fromBody({ code, message });
  } catch {
    // Not one of ours: a proxy in between.
  }
  return new PlatformError("UNREACHABLE", `The server answered ${status} without saying why.`);
}

/** What is underneath, where an error says only that it was aborted. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
