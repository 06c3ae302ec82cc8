import { setTimeout as sleep } from "node:timers/promises";
import { finished } from "node:stream/promises";
import type { Writable } from "node:stream";
import { LRUCache } from "lru-cache";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import { limits } from "../../../shared/limits.ts";
import type { Sha256 } from "../../../shared/ids.ts";
import { ownBlobHeader } from "../../../shared/wire/rest/blobs.ts";
import { EndedEarly } from "../../blobs/each-chunk.ts";
import { UploadConflict, type UploadStretch } from "../../blobs/uploads.ts";
import type { BlobOwner } from "../../store/store.ts";
import { inflateBody } from "../body-chunks.ts";
import type { Blobs, Call, HttpParts, Routes } from "../context.ts";
import { principalOf, visibleTo } from "../ownership.ts";
import { hashOf, offerCompression, query, reply } from "../reply.ts";
import { ShrinkingReply } from "../reply-body.ts";

type Names =
  | "PUT /api/blobs/{sha256}"
  | "GET /api/blobs/{sha256}"
  | "HEAD /api/blobs/{sha256}"
  | "DELETE /api/blobs/{sha256}"
  | "GET /api/blobs/{sha256}/chunks"
  | "HEAD /api/blobs/{sha256}/upload"
  | "PATCH /api/blobs/{sha256}/upload";

/**
 * Blobs by hash. Kernels are served here too, so that a client fetches all its data in one way. A blob that a caller may not read does
 * not exist for the caller (SPEC.md [READ-1], [READ-2]).
 */
export function blobRoutes({ platform, blobs }: HttpParts): Routes<Names> {
  const repeats = new Repeats();
  /** Whether a read is verified: clients compare the hash themselves, and ask again when it differs. */
  const isToVerify = ({ caller, req }: Call, sha256: Sha256): boolean => {
    if (caller?.kind !== "ticket") return req.headers.range === undefined;
    return repeats.note(`${caller.client} ${sha256} ${req.headers.range ?? ""}`);
  };
  const send = async (call: Call): Promise<void> => {
    const sha256 = hashOf(call);
    const owner = await readerOf(call, platform, sha256);
    const isDirect = call.req.method === "GET" && call.req.query["direct"] === "1";
    const url = isDirect ? await blobs.signedUrl?.(sha256, owner) : undefined;
    if (url !== undefined) {
      call.res.status(307).set({ Location: url, "Cache-Control": "no-store" }).end();
      return;
    }
    const source =
      (await blobSource(blobs, sha256, owner, isToVerify(call, sha256))) ??
      (await kernelSource(platform, sha256, owner?.customer));
    if (!source) throw missingBlob(blobs, sha256, owner);
    await sendBytes(call, sha256, source);
  };
  return {
    "PUT /api/blobs/{sha256}": (call) => put(call, platform, blobs),
    "DELETE /api/blobs/{sha256}": async (call) => {
      const sha256 = hashOf(call);
      if (!(await platform.disownBlob(sha256, visibleTo(principalOf(call))))) throw unknownBlob(sha256);
      await blobs.removeUnowned(sha256);
      call.res.status(204).end();
    },
    "GET /api/blobs/{sha256}": send,
    "HEAD /api/blobs/{sha256}": async (call) => {
      offerCompression(call);
      const sha256 = hashOf(call);
      if (call.caller?.kind === "token" && (await blobs.stat(sha256, { customer: call.caller.name }))) {
        // A customer that asks before putting sends no bytes that are here, so the bytes here are verified first ([ROT-5]).
        if (!blobs.isVerified(sha256)) await within(verifyMs, blobs.verify(sha256));
        if (await blobs.stat(sha256)) call.res.set(ownBlobHeader, "1");
      }
      await send(call);
    },
    "GET /api/blobs/{sha256}/chunks": async (call) => {
      const sha256 = hashOf(call);
      const owner = await readerOf(call, platform, sha256);
      const { chunkBytes, formerChunkBytes } = limits;
      const size = query(call, "bytes") === String(chunkBytes) ? chunkBytes : formerChunkBytes;
      const digests = (await blobs.stat(sha256, owner)) && (await blobs.chunkDigests(sha256, size));
      if (!digests) throw missingBlob(blobs, sha256, owner);
      call.res.set({
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Type": "application/octet-stream",
        "X-Chunk-Bytes": String(size),
      });
      call.res.end(digests);
    },
    "HEAD /api/blobs/{sha256}/upload": async (call) => {
      const part = await blobs.uploaded?.(hashOf(call), senderOf(call));
      setPart(call, part?.offset ?? 0, part?.isComplete ?? false);
      call.res.status(204).end();
    },
    "PATCH /api/blobs/{sha256}/upload": (call) => put(call, platform, blobs),
  };
}

/**
 * The customer whose blobs the caller reads; undefined: any. A client passes only when it may read this blob.
 * @throws PlatformError NOT_FOUND
 */
async function readerOf(
  call: Call,
  platform: HttpParts["platform"],
  sha256: Sha256,
): Promise<{ customer: string } | undefined> {
  if (call.caller?.kind !== "ticket") return visibleTo(principalOf(call));
  if (await platform.clientMayRead(call.caller.client, sha256)) return undefined;
  throw unknownBlob(sha256);
}

/** A question about a large blob is answered before its verification ends, which then goes on. */
const verifyMs = 5_000;

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const end = new AbortController();
  const late = sleep(ms, undefined, { signal: end.signal, ref: false }).catch(() => undefined);
  await Promise.race([work, late]).finally(() => end.abort());
}

/** Requests of the last ten minutes that were the second of their kind. */
class Repeats {
  readonly #asked = new LRUCache<string, true>({ max: 10_000, ttl: 10 * 60_000 });

  /** @returns whether the same was asked before */
  note(request: string): boolean {
    const isRepeated = this.#asked.has(request);
    this.#asked.set(request, true);
    return isRepeated;
  }
}

/** @param owner - the customer that asks; undefined for a caller that may read any blob */
function missingBlob(blobs: Blobs, sha256: Sha256, owner: BlobOwner | undefined): PlatformError {
  if (owner || !blobs.damaged.has(sha256)) return unknownBlob(sha256);
  return new PlatformError(
    "NOT_FOUND",
    `Blob ${sha256} is damaged on the server's disk and was set aside. Its tasks wait until it is put again.`,
    undefined,
    hints.blob,
  );
}

function unknownBlob(sha256: Sha256): PlatformError {
  return new PlatformError("NOT_FOUND", `There is no blob ${sha256}.`, undefined, hints.blob);
}

interface Source {
  readonly size: number;
  /** Writes `[start, end)` to `sink` and ends it. */
  send(start: number, end: number, sink: Writable): Promise<void>;
}

async function blobSource(
  blobs: Blobs,
  sha256: Sha256,
  owner: BlobOwner | undefined,
  isToVerify: boolean,
): Promise<Source | undefined> {
  const found = await blobs.stat(sha256, owner);
  return (
    found && {
      size: found.size,
      send: (start, end, sink) => blobs.send(sha256, [start, end], sink, isToVerify),
    }
  );
}

async function kernelSource(
  platform: HttpParts["platform"],
  sha256: Sha256,
  customer: string | undefined,
): Promise<Source | undefined> {
  const bytes = await platform.kernel(sha256, customer);
  return (
    bytes && {
      size: bytes.length,
      send: async (start, end, sink) => void sink.end(bytes.subarray(start, end)),
    }
  );
}

async function put(call: Call, platform: HttpParts["platform"], blobs: Blobs): Promise<void> {
  const { req, caller } = call;
  const sha256 = hashOf(call);
  offerCompression(call);
  const encoding = encodingOf(call);
  const stretch = stretchOf(call);
  if (encoding !== "identity" && !(encoding === "gzip" && stretch))
    throw new PlatformError(
      "UNSUPPORTED_TYPE",
      `A blob cannot come in the encoding ${encoding.slice(0, 50)}; expected none, or gzip of an upload with Upload-Complete and Upload-Length.`,
    );
  const declared = stretch?.size ?? numberOf(call, "content-length");
  let failed: (() => void) | undefined;
  if (caller?.kind === "ticket") {
    const remove = (leftover: Sha256) => blobs.removeUnowned(leftover);
    failed = await platform.beginUpload(caller.client, { sha256, size: declared, remove });
  }
  const owner = senderOf(call);
  const inflated = encoding === "gzip" ? inflateBody(req) : undefined;
  const source = inflated?.gunzip ?? req;
  const written = stretch
    ? blobs.append?.(sha256, source, owner, { ...stretch, forgotten: failed })
    : blobs.write(sha256, source, owner, declared);
  if (!written) throw new PlatformError("METHOD_NOT_ALLOWED", "Uploads are taken whole here.");
  const stored = await written.finally(inflated?.leave).catch((error: unknown) => {
    // A partial upload counts as an upload under way until the server removes the part.
    if (!(error instanceof EndedEarly && stretch)) failed?.();
    if (error instanceof UploadConflict) setPart(call, error.offset, false);
    throw error;
  });
  // The body of a known blob was not read, and senders send all of it before they read the reply.
  if (!req.complete) await finished(req.resume());
  if ("offset" in stored) {
    setPart(call, stored.offset, false);
    call.res.set("Location", `/api/blobs/${sha256}/upload`).status(204).end();
    return;
  }
  const { size, created } = stored;
  reply(call, { sha256, size }, created ? 201 : 200);
}

function senderOf(call: Call): BlobOwner {
  const { caller } = call;
  return caller?.kind === "ticket" ? { client: caller.client } : { customer: principalOf(call).name };
}

/** Tells how much of an upload is here (draft-ietf-httpbis-resumable-upload). */
function setPart({ res }: Call, offset: number, isComplete: boolean): void {
  res.set({
    "Upload-Offset": String(offset),
    "Upload-Complete": isComplete ? "?1" : "?0",
    "Cache-Control": "no-store",
  });
}

/** The stretch of a request whose sender may go on with the upload; undefined for a plain PUT. @throws PlatformError BAD_REQUEST */
function stretchOf(call: Call): UploadStretch | undefined {
  const { req } = call;
  const complete = req.headers["upload-complete"];
  const isPatch = req.method === "PATCH";
  if (complete === undefined && !isPatch) return undefined;
  if (complete !== "?0" && complete !== "?1")
    throw new PlatformError("BAD_REQUEST", `Upload-Complete: ${String(complete)}; expected ?0 or ?1.`);
  const isLast = complete === "?1";
  const offset = isPatch ? numberOf(call, "upload-offset") : 0;
  const length = encodingOf(call) === "identity" ? numberOf(call, "content-length") : undefined;
  const rest = isLast && offset !== undefined && length !== undefined ? offset + length : undefined;
  const size = numberOf(call, "upload-length") ?? rest;
  if (offset === undefined || size === undefined)
    throw new PlatformError(
      "BAD_REQUEST",
      "An upload that may go on says where it stands; expected Upload-Offset (PATCH) and Upload-Length.",
    );
  return { offset, size, isLast };
}

function encodingOf({ req }: Call): string {
  return (req.headers["content-encoding"] ?? "identity").toLowerCase();
}

/** A header with a number of bytes. @throws PlatformError BAD_REQUEST */
function numberOf({ req }: Call, header: string): number | undefined {
  const text = req.headers[header];
  if (text === undefined) return undefined;
  if (typeof text === "string" && /^\d{1,15}$/.test(text)) return Number(text);
  throw new PlatformError("BAD_REQUEST", `${header}: ${String(text)}; expected a number of bytes.`);
}

async function sendBytes(call: Call, sha256: Sha256, source: Source): Promise<void> {
  const { req, res, signal } = call;
  const { size } = source;
  const etag = `"${sha256}"`;
  res.set({
    ETag: etag,
    // The content under a name never changes. The reply is private, because this server decides who may read it.
    "Cache-Control": "private, max-age=31536000, immutable",
    "Accept-Ranges": "bytes",
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
  });
  if (names(req.headers["if-none-match"], etag)) {
    res.removeHeader("Content-Type");
    res.status(304).end();
    return;
  }
  const part = partOf(call, size, etag);
  if (part) res.status(206).set("Content-Range", `bytes ${part.start}-${part.end - 1}/${size}`);
  const { start, end } = part ?? { start: 0, end: size };
  res.set("Content-Length", String(end - start));
  const sink = !part && isCompressible(call) ? new ShrinkingReply(res) : res;
  if (req.method === "HEAD" || start === end) {
    res.end();
    return;
  }
  const stop = (): void => void res.destroy();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await source.send(start, end, sink);
  } catch (error) {
    // Clients often leave in the middle: a closed tab, a cancelled task.
    if (!signal.aborted && !res.destroyed) throw error;
    res.destroy();
  }
}

/** Whether the reader wants the blob compressed. */
function isCompressible(call: Call): boolean {
  const { req, res, caller } = call;
  res.vary("Accept-Encoding");
  // Browsers accept gzip also where the network is fast.
  const isAsked = caller?.kind !== "ticket" || query(call, "gzip") === "1";
  return isAsked && req.acceptsEncodings("gzip") === "gzip";
}

/** The requested range, `end` exclusive; undefined for the whole blob. @throws PlatformError RANGE_NOT_SATISFIABLE */
function partOf({ req, res }: Call, size: number, etag: string): { start: number; end: number } | undefined {
  const ifRange = req.headers["if-range"];
  if (req.headers.range === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined;
  const ranges = req.range(size);
  const [range] = typeof ranges === "object" && ranges.type === "bytes" ? ranges : [];
  if (range && typeof ranges === "object" && ranges.length === 1)
    return { start: range.start, end: range.end + 1 };
  res.set("Content-Range", `bytes */${size}`);
  throw new PlatformError(
    "RANGE_NOT_SATISFIABLE",
    `Range: ${req.headers.range} cannot be served; expected one range bytes=FIRST-LAST inside the ${size} bytes.`,
  );
}

function names(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etag);
}
