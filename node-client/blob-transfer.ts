import { createHash } from "node:crypto";
import { digestListBytes } from "../shared/client/chunk-reader.ts";
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

/** Blobs to and from the server at `serverUrl`, over HTTP. */
export function createBlobTransfer(serverUrl: string): BlobTransfer {
  const address = (sha256: string): URL => new URL(`/api/blobs/${sha256}`, serverUrl);
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
      const digests = await response.bytes().catch((error: unknown) => {
        throw new PlatformError("UNREACHABLE", `The connection broke: ${reasonOf(error)}`, error);
      });
      if (digests.length === digestListBytes(name.size)) return digests;
      throw wrongBytes(
        name,
        `${digests.length} bytes of digests; ${digestListBytes(name.size)} were expected`,
      );
    },
    async hash(bytes) {
      return createHash("sha256").update(bytes).digest("hex") as Sha256;
    },
    async upload(bytes, ticket) {
      const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
      await request(address(sha256), {
        method: "PUT",
        headers: { authorization: `Bearer ${ticket}`, "content-type": "application/octet-stream" },
        body: bytes as Uint8Array<ArrayBuffer>,
        signal: AbortSignal.timeout(stalledMs + Math.ceil(bytes.length / slowestBytesPerMs)),
      });
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
  response: Response,
  name: BlobName,
  range: readonly [number, number] | undefined,
  stall: Stall,
): Promise<Uint8Array> {
  const part = range !== undefined && response.status === 206;
  const expected = part ? range[1] - range[0] : name.size;
  const bytes = new Uint8Array(expected);
  const hash = part ? undefined : createHash("sha256");
  let length = 0;
  try {
    for await (const chunk of response.body ?? []) {
      if (length + chunk.length > expected) throw wrongBytes(name, `more than ${expected} bytes`);
      bytes.set(chunk, length);
      hash?.update(chunk);
      length += chunk.length;
      stall.moved();
    }
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError("UNREACHABLE", `The connection broke in mid-transfer: ${reasonOf(error)}`, error);
  }
  if (length !== expected) throw wrongBytes(name, `${length} bytes; ${expected} were expected`);
  // Of a part only the length can be checked.
  if (hash && hash.digest("hex") !== name.sha256) throw wrongBytes(name, "bytes of another hash");
  return range && !part ? bytes.slice(range[0], range[1]) : bytes;
}

function wrongBytes({ sha256 }: BlobName, what: string): PlatformError {
  return new PlatformError("HASH_MISMATCH", `Blob ${sha256} came with ${what}.`);
}

async function request(url: URL, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, redirect: "error" });
  } catch (error) {
    throw new PlatformError("UNREACHABLE", `The server could not be reached: ${reasonOf(error)}`, error);
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<PlatformError> {
  try {
    const body: unknown = await response.json();
    const { code, message } = body as { code: unknown; message: unknown };
    if (typeof code === "string" && typeof message === "string")
      return PlatformError.fromBody({ code, message });
  } catch {
    // Not one of ours: a proxy in between.
  }
  return new PlatformError("UNREACHABLE", `The server answered ${response.status} without saying why.`);
}

/** fetch says only "fetch failed"; the reason is underneath. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
