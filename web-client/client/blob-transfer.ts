import { digestListBytes } from "../../shared/client/data/chunk-reader.ts";
import type { BlobTransfer } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { hashBytes } from "./hash-bytes.ts";

/** Blobs to and from the server this page came from, over HTTP. */
export function createBlobTransfer(page: string = location.href): BlobTransfer {
  // Relative: a proxy may have put the page under a path of its own.
  const address = (sha256: string): string => new URL(`api/blobs/${sha256}`, page).href;
  return {
    async fetch(name, range, ticket) {
      const headers: Record<string, string> = { authorization: `Bearer ${ticket}` };
      // An HTTP range cannot say "nothing".
      if (range && range[0] === range[1]) return new Uint8Array();
      if (range) headers["range"] = `bytes=${range[0]}-${range[1] - 1}`;
      const response = await request(address(name.sha256), { headers, cache: "no-store" });
      const bytes = await body(response);
      await verify(bytes, name, range, response.status);
      return response.status === 200 && range ? bytes.slice(range[0], range[1]) : bytes;
    },
    async chunks(name, ticket) {
      const headers = { authorization: `Bearer ${ticket}` };
      const response = await request(`${address(name.sha256)}/chunks`, { headers, cache: "no-store" });
      const digests = await body(response);
      const expected = digestListBytes(name.size);
      if (digests.length === expected) return digests;
      throw new PlatformError(
        "HASH_MISMATCH",
        `Blob ${name.sha256} came with ${digests.length} bytes of digests; ${expected} were expected.`,
      );
    },
    hash: hashBytes,
    async upload(bytes, ticket) {
      const sha256 = await hashBytes(bytes);
      await request(address(sha256), {
        method: "PUT",
        headers: { authorization: `Bearer ${ticket}`, "content-type": "application/octet-stream" },
        body: bytes as Uint8Array<ArrayBuffer>,
      });
      return { sha256, size: bytes.length };
    },
  };
}

/** A whole blob must have the hash that is its name; of a part only the length can be checked. */
async function verify(
  bytes: Uint8Array,
  name: BlobName,
  range: readonly [number, number] | undefined,
  status: number,
): Promise<void> {
  const part = range && status === 206;
  const expected = part ? range[1] - range[0] : name.size;
  if (bytes.length !== expected)
    throw new PlatformError(
      "HASH_MISMATCH",
      `Blob ${name.sha256} came with ${bytes.length} bytes; ${expected} were expected.`,
    );
  if (part) return;
  const actual = await hashBytes(bytes);
  if (actual !== name.sha256)
    throw new PlatformError("HASH_MISMATCH", `Blob ${name.sha256} came with bytes that hash to ${actual}.`);
}

async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, credentials: "omit" });
  } catch (error) {
    throw new PlatformError("UNREACHABLE", `The server could not be reached: ${String(error)}`, error);
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<PlatformError> {
  try {
    return PlatformError.fromBody((await response.json()) as { code: string; message: string });
  } catch {
    return new PlatformError("UNREACHABLE", `The server answered ${response.status} without saying why.`);
  }
}

async function body(response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new PlatformError("UNREACHABLE", `The connection broke in mid-transfer: ${String(error)}`, error);
  }
}
