import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, openAsBlob } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { DataReference } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import type { Sha256 } from "../shared/ids.ts";
import { hints } from "../shared/hints.ts";
import { limits } from "../shared/limits.ts";
import type { UploadRequest } from "../shared/uplink.ts";
import { ownBlobHeader } from "../shared/wire/rest/blobs.ts";
import type { HttpClient, ReplayableBody } from "./http.ts";
import { pauseMs } from "./retry.ts";

/** Sources of `hands.put`: bytes, the path or file URL of a file, a `Blob`, or a stream of bytes. */
export type PutSource =
  Uint8Array | ArrayBuffer | string | URL | Blob | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** Options of a transfer of a blob. */
export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with the bytes that the server has (of a put), or that came (of a get), and with all bytes of the transfer. A put of bytes that
   * are on the server already calls it once.
   */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

export interface TransferProgress {
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Speed of a slow server disk, on which the server flushes a whole blob before it answers. */
const flushedBytesPerMs = 50_000;

/**
 * Stores bytes, a file or a stream under its SHA-256. Bytes that the customer has on the server are not sent, except for small blobs
 * that follow several new ones.
 */
export async function putBlob(
  http: HttpClient,
  source: PutSource,
  options: TransferOptions = {},
): Promise<DataReference> {
  if (source instanceof ArrayBuffer) return putBytes(http, new Uint8Array(source), options);
  if (source instanceof Uint8Array) return putBytes(http, source, options);
  if (source instanceof Blob) return putWebBlob(http, source, options);
  if (typeof source === "string" || source instanceof URL)
    return putFile(http, source instanceof URL ? fileURLToPath(source) : source, options);
  return putStream(http, source, options);
}

/** Node's hash refuses 2 GiB in one call. */
const hashedBytes = 1024 ** 3;

/** Stores bytes that are in memory. */
export async function putBytes(
  http: HttpClient,
  bytes: Uint8Array,
  options: TransferOptions = {},
): Promise<DataReference> {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += hashedBytes) hash.update(bytes.subarray(at, at + hashedBytes));
  const sha256 = hash.digest("hex") as Sha256;
  return upload(http, new DataReference(sha256, bytes.length), bytes as Uint8Array<ArrayBuffer>, options);
}

async function putFile(
  http: HttpClient,
  path: string,
  options: TransferOptions = {},
): Promise<DataReference> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new Error("it is a directory; expected a file");
    if (!found.isFile() && !found.isFIFO()) throw new Error("it is a device or a socket; expected a file");
    // Pipes have no size, and files of /proc say 0.
    if (found.size === 0) return await putStream(http, createReadStream(path), options);
    // The blob is backed by the file, whose bytes are read for the hash and again for the request: memory never holds all of them.
    return await putWebBlob(http, await openAsBlob(path), options);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof PlatformError || options.signal?.aborted) throw error;
    throw new PlatformError("FILE_FAILED", `The file ${path} cannot be read: ${error.message}.`, error);
  }
}

async function putWebBlob(
  http: HttpClient,
  blob: Blob,
  options: TransferOptions = {},
): Promise<DataReference> {
  const hash = createHash("sha256");
  for await (const chunk of blob.stream()) {
    options.signal?.throwIfAborted();
    hash.update(chunk);
  }
  return upload(http, new DataReference(hash.digest("hex") as Sha256, blob.size), blob, options);
}

/** A stream's name is known only at its end, so its bytes wait in a temporary file. */
async function putStream(
  http: HttpClient,
  source: AsyncIterable<Uint8Array>,
  options: TransferOptions = {},
): Promise<DataReference> {
  const folder = await mkdtemp(join(tmpdir(), "manyhands-put-"));
  const { signal } = options;
  try {
    const path = join(folder, "stream");
    await pipeline(source, bounded, createWriteStream(path), { ...(signal && { signal }) });
    return await putWebBlob(http, await openAsBlob(path), options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bounds a stream, which may have no end, before it fills the disk. @throws PlatformError TOO_LARGE */
async function* bounded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limits.blobBytes) throw tooLarge(`More than ${limits.blobBytes}`);
    yield chunk;
  }
}

function tooLarge(size: string): PlatformError {
  return new PlatformError("TOO_LARGE", `${size} bytes to put; at most ${limits.blobBytes} are allowed.`);
}

async function upload(
  http: HttpClient,
  reference: DataReference,
  body: ReplayableBody,
  options: TransferOptions,
): Promise<DataReference> {
  if (reference.size > limits.blobBytes) throw tooLarge(String(reference.size));
  const path = `api/blobs/${reference.sha256}`;
  const news = newsOf.get(http) ?? 0;
  const isToAsk = reference.size > unaskedBytes || news < newsUntilUnasked;
  if (isToAsk && (await exists(http, path, options.signal))) {
    newsOf.delete(http);
    options.onProgress?.({ bytes: reference.size, totalBytes: reference.size });
    return reference;
  }
  const wasNew = await (reference.size > ungatedBytes
    ? http.gateUpload(() => send(http, reference, body, options))
    : send(http, reference, body, options));
  if (wasNew) newsOf.set(http, news + 1);
  else newsOf.delete(http);
  return reference;
}

/** Uploads up to this size take a round trip rather than the link. */
const ungatedBytes = 64 * 1024;

/** Sends the bytes of a blob that the server does not have. @returns whether the blob is new */
async function send(
  http: HttpClient,
  { sha256, size }: DataReference,
  body: ReplayableBody,
  options: TransferOptions,
): Promise<boolean> {
  const { signal, onProgress } = options;
  const path = `api/blobs/${sha256}`;
  const type = { "content-type": "application/octet-stream" };
  const workMs = size / flushedBytesPerMs;
  const isNew = async (response: Response): Promise<boolean> => {
    await response.arrayBuffer();
    return response.status === 201;
  };
  if (!http.isRemote || typeof body === "string")
    return http.request({ method: "PUT", path, body, headers: type, signal, workMs }, isNew);
  const part = { length: 0, isBegun: false };
  const moved = (): void => onProgress?.({ bytes: part.length, totalBytes: size });
  let wasNew = true;
  const ask = async ({ method, suffix, headers, start, end }: UploadRequest): Promise<number> => {
    const isBegun = method !== "HEAD";
    const request = {
      method,
      path: path + suffix,
      headers: { ...type, ...headers },
      mayShrink: true,
      signal,
      ...(isBegun && {
        body: body instanceof Blob ? body.slice(start, end) : body.subarray(start, end),
        // The server is asked for the offset before a piece is sent again.
        patienceMs: 0,
        workMs: end === size ? workMs : 0,
      }),
    };
    return http.request(request, async (response) => {
      const found = await isNew(response);
      if (isBegun && end === size) wasNew = found;
      return Number(response.headers.get("upload-offset"));
    });
  };
  await http.repeat(
    () => http.sendUpload(size, part, ask, moved),
    () => part.length,
    signal,
  );
  return wasNew;
}

/**
 * Successive blobs that the customer did not have on the server. After a few of them small blobs are sent without a question, because
 * the questions about a set of new images would all be in vain. A blob that the customer has after all is sent once, and the next is
 * asked for again.
 */
const newsOf = new WeakMap<HttpClient, number>();
const newsUntilUnasked = 4;
const unaskedBytes = 4 * 1024 ** 2;

/** Whether the blob is the caller's own: an administrator also sees blobs of others, which have to be sent all the same. */
export async function exists(
  http: HttpClient,
  path: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    return await http.request({ method: "HEAD", path, signal }, ({ headers }) => headers.has(ownBlobHeader));
  } catch (error) {
    if (error instanceof PlatformError && error.code === "NOT_FOUND") return false;
    throw error;
  }
}

/**
 * The bytes of a reference; a whole blob is checked against its name.
 * @throws PlatformError HASH_MISMATCH, NOT_FOUND, TOO_LARGE
 */
export async function getBlob(
  http: HttpClient,
  reference: DataReference,
  options: TransferOptions = {},
): Promise<Uint8Array> {
  const bytes = allocate(reference.length);
  const read = async (): Promise<Uint8Array> => {
    let at = 0;
    for await (const chunk of streamBlob(http, reference, options)) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  };
  return read().catch((error: unknown) => {
    if (!(error instanceof PlatformError) || error.code !== "HASH_MISMATCH") throw error;
    return read();
  });
}

function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new PlatformError(
      "TOO_LARGE",
      `${length} bytes do not fit into the memory of this program.`,
      error,
      hints.largeBlob,
    );
  }
}

/** Most successive replies without a byte. A lost network gives no reply at all, so such replies are the server's or a proxy's fault. */
const mostCuts = 5;

/**
 * Streams the bytes of a reference, and goes on after a broken connection. A whole blob is checked against its name at the end.
 * @throws PlatformError HASH_MISMATCH, NOT_FOUND; UNREACHABLE when replies break off before the same byte again and again
 */
export async function* streamBlob(
  http: HttpClient,
  reference: DataReference,
  options: TransferOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, onProgress } = options;
  const [start, end] = reference.range ?? [0, reference.size];
  const hash = reference.range ? undefined : createHash("sha256");
  let at = start;
  for (let cuts = 0; at < end;) {
    const response = await http.open({
      method: "GET",
      path: `api/blobs/${reference.sha256}`,
      isBlob: true,
      headers: at > 0 || end < reference.size ? { range: `bytes=${at}-${end - 1}` } : {},
      mayShrink: true,
      signal,
    });
    try {
      for await (const chunk of response.body ?? []) {
        if (at + chunk.length > end) throw mismatch(reference);
        at += chunk.length;
        cuts = 0;
        hash?.update(chunk);
        onProgress?.({ bytes: at - start, totalBytes: end - start });
        yield chunk;
      }
    } catch (error) {
      if (error instanceof PlatformError || signal?.aborted) throw error;
    }
    if (cuts >= mostCuts)
      throw new PlatformError(
        "UNREACHABLE",
        `Replies with blob ${reference.sha256} break off at byte ${at} of ${reference.size}, ${cuts + 1} times in a row.`,
      );
    if (at < end) await sleep(pauseMs(cuts++), undefined, { signal });
  }
  if (hash && hash.digest("hex") !== reference.sha256) throw mismatch(reference);
}

function mismatch(reference: DataReference): PlatformError {
  return new PlatformError(
    "HASH_MISMATCH",
    `The bytes received for blob ${reference.sha256} are not those of that name.`,
  );
}
