import { createHash, randomUUID } from "node:crypto";
import { createReadStream, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { backoffMs } from "../../../shared/backoff.ts";
import type { BlobName } from "../../../shared/data-reference.ts";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import { sha256Schema, type Sha256 } from "../../../shared/ids.ts";
import { makeFolder } from "../../make-folder.ts";
import type { BlobBackend, ByteRange, ReceivedBlob, Verdict } from "../backend.ts";
import { IncomingFile } from "../incoming-file.ts";
import { S3Client, type S3Body, type S3Request } from "./client.ts";
import { elementOf, elementsOf, S3Failure } from "./failure.ts";
import type { S3Place } from "./place.ts";

/** Bounds of S3, and chosen ones; tests use smaller bounds. */
export interface BucketBounds {
  /** Larger blobs are sent in parts of this size; S3 takes parts from 5 MiB on, 10,000 at most. */
  readonly partBytes: number;
  /** Larger blobs are copied in parts of this size; S3 copies 5 GiB at once at most. */
  readonly copyBytes: number;
  /** Objects in one reply of a list. */
  readonly pageKeys: number;
  /** Age, by S3's clock, from which an upload or removal under way counts as left by a dead server. */
  readonly deadAfterMs: number;
  /** A request is tried again while no more than this has passed: the caller has a caller that waits. */
  readonly patienceMs: number;
  /** Time without a byte after which a request counts as lost. */
  readonly silenceMs: number;
}

const usualBounds: BucketBounds = {
  partBytes: 32 * 1024 ** 2,
  copyBytes: 1024 ** 3,
  pageKeys: 1000,
  deadAfterMs: 24 * 3_600_000,
  patienceMs: 20_000,
  silenceMs: 10_000,
};
const partsAtOnce = 4;
/** A transfer that was begun within this time goes on after its end. */
const signedSeconds = 600;
/** Most breaks in a row of a reply without a byte between them. */
const mostCuts = 5;
/** Time in which S3 puts parts together, or copies. */
const assembleMs = 120_000;

const blobKey = (sha256: string): string => `blobs/${sha256}`;
const digestsKey = (sha256: string): string => `chunks/${sha256}`;
const asideKey = (sha256: string): string => `aside/${sha256}`;
const damagedKey = (sha256: string): string => `damaged/${sha256}`;

/**
 * Blobs as objects of an S3 bucket: `blobs/abcdef…`, `chunks/abcdef…` for the digests of a blob's chunks, `aside/abcdef…` while a blob is
 * being removed, `damaged/abcdef…` for a blob that is not what its name says any more. An upload waits in a file of this server until its hash is right; S3 then verifies what it receives by the hash in the
 * signature, and shows an object when it is whole.
 */
export class BlobBucket implements BlobBackend {
  readonly isShared = true;
  readonly verifiesItself = true;
  readonly signedUrl?: (sha256: Sha256) => Promise<string>;
  readonly signedOrigin?: string;
  readonly #s3: S3Client;
  readonly #incoming: string;
  readonly #bounds: BucketBounds;

  /** @param incoming - folder of this server alone, for uploads under way; files that an earlier server left there are removed */
  constructor(place: S3Place, incoming: string, bounds: Partial<BucketBounds> = {}) {
    this.#bounds = { ...usualBounds, ...bounds };
    this.#s3 = new S3Client(place, this.#bounds);
    this.#incoming = incoming;
    if (place.clientUrl !== undefined) {
      this.signedUrl = (sha256) => this.#s3.signedUrl(blobKey(sha256), signedSeconds);
      this.signedOrigin = new URL(place.clientUrl).origin;
    }
    rmSync(incoming, { recursive: true, force: true });
    makeFolder(incoming);
  }

  /** Tries the server's requests on the bucket. @throws PlatformError BAD_OPTION, UNREACHABLE: names the refused request */
  async tryAccess(): Promise<void> {
    const key = `tries/${randomUUID()}`;
    await this.#try("list its objects", { method: "GET", query: { "list-type": "2", "max-keys": "1" } });
    await this.#try("write objects", { method: "PUT", key, body: bodyOf(Buffer.from("manyhands")) });
    await this.#try("read objects", { method: "GET", key });
    await this.#try("delete objects", { method: "DELETE", key });
  }

  async find(sha256: Sha256): Promise<BlobName | undefined> {
    const size = await this.#sizeOf(blobKey(sha256));
    return size === undefined ? undefined : { sha256, size };
  }

  incoming(sha256: Sha256): IncomingFile {
    return new IncomingFile(join(this.#incoming, `${sha256}.${randomUUID()}`), sha256, false);
  }

  received(file: IncomingFile): ReceivedBlob {
    const { sha256, size, path } = file;
    return {
      size,
      publish: () => this.#put(blobKey(sha256), path, { sha256, size }),
      sync: async () => {},
      discard: () => file.remove(),
    };
  }

  open(sha256: Sha256, range?: ByteRange): Readable {
    if (range && range[0] >= range[1]) return Readable.from([]);
    return Readable.from(this.#read(sha256, range), { objectMode: false, highWaterMark: 256 * 1024 });
  }

  async send(sha256: Sha256, range: ByteRange, sink: Writable): Promise<void> {
    if (sink.destroyed) throw new Error("the reader has gone");
    await pipeline(this.open(sha256, range), sink);
  }

  /** Hashes the blob: S3 finds changed bytes itself, but no blob that was stored wrong or replaced by another program. */
  async verify(sha256: Sha256, bytesPerSecond = Infinity): Promise<Verdict> {
    const hash = createHash("sha256");
    const startedAt = performance.now();
    let bytes = 0;
    try {
      for await (const chunk of this.#read(sha256, undefined)) {
        hash.update(chunk);
        bytes += chunk.length;
        const aheadMs = (bytes / bytesPerSecond) * 1000 - (performance.now() - startedAt);
        if (aheadMs > 0) await sleep(aheadMs);
      }
    } catch (error) {
      if (error instanceof PlatformError && error.code === "NOT_FOUND") return "missing";
      throw error;
    }
    return hash.digest("hex") === sha256 ? "sound" : "damaged";
  }

  async setAside(sha256: Sha256): Promise<boolean> {
    if (!(await this.#copy(blobKey(sha256), damagedKey(sha256)))) return false;
    await this.#delete(digestsKey(sha256));
    await this.#delete(blobKey(sha256));
    return true;
  }

  async isSetAside(sha256: Sha256): Promise<boolean> {
    return (await this.#sizeOf(damagedKey(sha256))) !== undefined;
  }

  async listSetAside(): Promise<Sha256[]> {
    const names: Sha256[] = [];
    for await (const { key } of this.#objects("damaged/")) {
      const sha256 = key.slice(-64);
      if (isHash(sha256)) names.push(sha256);
    }
    return names;
  }

  removeSetAside(sha256: Sha256): Promise<void> {
    return this.#delete(damagedKey(sha256));
  }

  async remove({ sha256 }: BlobName, isWanted?: () => Promise<boolean>): Promise<void> {
    if (isWanted) {
      if (!(await this.#copy(blobKey(sha256), asideKey(sha256)))) return;
      await this.#delete(blobKey(sha256));
      if (await isWanted()) await this.#copy(asideKey(sha256), blobKey(sha256));
      await this.#delete(asideKey(sha256));
    } else await this.#delete(blobKey(sha256));
    await this.#delete(digestsKey(sha256));
  }

  async *list(): AsyncGenerator<BlobName> {
    for await (const { key, size } of this.#objects("blobs/")) {
      const sha256 = key.slice(-64);
      if (isHash(sha256)) yield { sha256, size };
    }
  }

  async readDigests(sha256: Sha256): Promise<Buffer | undefined> {
    try {
      const reply = await this.#s3.open({ method: "GET", key: digestsKey(sha256) });
      return Buffer.concat(await reply.toArray());
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async keepDigests(sha256: Sha256, digests: Buffer): Promise<void> {
    await this.#s3.ask({ method: "PUT", key: digestsKey(sha256), body: bodyOf(digests) });
  }

  async removeLeftovers(): Promise<void> {
    for await (const { key, ageMs } of this.#objects("aside/")) {
      const sha256 = key.slice(-64);
      if (ageMs < this.#bounds.deadAfterMs || !isHash(sha256)) continue;
      // The server may have died after a use of the blob that it had to heed.
      await this.#copy(asideKey(sha256), blobKey(sha256));
      await this.#delete(asideKey(sha256));
    }
    const { prefix } = this.#s3.place;
    const { headers, body } = await this.#s3.ask({ method: "GET", query: { uploads: "", prefix } });
    for (const upload of elementsOf(body, "Upload")) {
      const key = elementOf(upload, "Key") ?? "";
      const uploadId = elementOf(upload, "UploadId") ?? "";
      if (ageOf(upload, "Initiated", headers.date) < this.#bounds.deadAfterMs || !key.startsWith(prefix))
        continue;
      await this.#abort(key.slice(prefix.length), uploadId);
    }
  }

  async #try(verb: string, request: S3Request): Promise<void> {
    const { bucket, url, region } = this.#s3.place;
    try {
      await this.#s3.ask(request);
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error;
      const refused = (why: string): PlatformError =>
        new PlatformError("BAD_OPTION", `--blobs: ${why} (${error.s3Code}).`, error);
      switch (error.s3Code) {
        case "NoSuchBucket":
        case "NotFound":
          throw refused(`there is no bucket ${bucket} at ${url}; make it first`);
        case "InvalidAccessKeyId":
        case "SignatureDoesNotMatch":
        case "InvalidToken":
        case "ExpiredToken":
          throw refused(
            `the S3 server refuses the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
          );
        case "AuthorizationHeaderMalformed":
        case "PermanentRedirect":
        case "IllegalLocationConstraintException":
          throw refused(`the bucket ${bucket} is not in the region ${region}; give region=`);
        case "RequestTimeTooSkewed":
          throw refused("the clocks of this machine and of the S3 server differ by more than 15 minutes");
        case "AccessDenied":
          throw refused(`the credentials may not ${verb} in the bucket ${bucket}`);
      }
      if (error.reply === undefined)
        throw new PlatformError(
          "UNREACHABLE",
          `--blobs: ${error.message}`,
          error,
          "Check endpoint and network.",
        );
      throw new PlatformError("BAD_OPTION", `--blobs: cannot ${verb}: ${error.message}`, error);
    }
  }

  async #sizeOf(key: string): Promise<number | undefined> {
    try {
      const { headers } = await this.#s3.ask({ method: "HEAD", key });
      return Number(headers["content-length"]);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #delete(key: string): Promise<void> {
    try {
      await this.#s3.ask({ method: "DELETE", key });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** Reads a blob, and goes on behind the last byte when a reply breaks off. */
  async *#read(sha256: Sha256, range: ByteRange | undefined): AsyncGenerator<Buffer> {
    let [at, end] = range ?? [0, Infinity];
    for (let cuts = 0; at < end;) {
      let reply: IncomingMessage;
      let length: number;
      try {
        const last = end === Infinity ? "" : end - 1;
        const isPart = at > 0 || end < Infinity;
        const headers: Record<string, string> = isPart ? { range: `bytes=${at}-${last}` } : {};
        reply = await this.#s3.open({ method: "GET", key: blobKey(sha256), headers });
        length = Number(reply.headers["content-length"] ?? NaN);
        if (Number.isNaN(length) || isPart !== (reply.statusCode === 206)) {
          reply.destroy();
          throw new PlatformError(
            "STORE_FAILED",
            `The bucket of the blobs gives blob ${sha256} without its length or not the range that was asked for.`,
          );
        }
      } catch (error) {
        if (error instanceof S3Failure && error.reply === 416) return;
        if (isMissing(error))
          throw new PlatformError("NOT_FOUND", `There is no blob ${sha256}.`, error, hints.blob);
        throw error;
      }
      const before = at;
      end = Math.min(end, at + length);
      let cause: unknown;
      try {
        for await (const chunk of reply as AsyncIterable<Buffer>) {
          at += chunk.length;
          yield chunk;
        }
      } catch (error) {
        cause = error;
      }
      if (at >= end) return;
      cuts = at > before ? 0 : cuts + 1;
      if (cuts > mostCuts)
        throw new PlatformError(
          "STORE_FAILED",
          `Blob ${sha256} breaks off at byte ${at} in the bucket.`,
          cause,
        );
      await sleep(backoffMs(cuts, Math.random, 200, 5000));
    }
  }

  async #put(key: string, file: string, { sha256, size }: BlobName): Promise<void> {
    const { partBytes } = this.#bounds;
    if (size <= partBytes) {
      const body = { bytes: size, sha256, open: () => createReadStream(file) };
      await this.#s3.ask({ method: "PUT", key, headers: { "content-type": octets }, body });
      return;
    }
    await this.#inParts(key, size, partBytes, async (start, end, query) => {
      const range = { start, end: end - 1 };
      const hash = createHash("sha256");
      for await (const chunk of createReadStream(file, range)) hash.update(chunk as Buffer);
      const body = {
        bytes: end - start,
        sha256: hash.digest("hex"),
        open: () => createReadStream(file, range),
      };
      const { headers } = await this.#s3.ask({ method: "PUT", key, query, body });
      return headers.etag;
    });
  }

  /** @returns false when there is nothing to copy */
  async #copy(from: string, to: string): Promise<boolean> {
    const size = await this.#sizeOf(from);
    if (size === undefined) return false;
    const { bucket, prefix } = this.#s3.place;
    const source = { "x-amz-copy-source": `/${bucket}/${prefix}${from}` };
    const copied = async (query: Record<string, string>, more: Record<string, string>): Promise<string> => {
      const headers = { ...source, ...more };
      const { body } = await this.#s3.ask({ method: "PUT", key: to, query, headers, workMs: assembleMs });
      // A copy that takes long is answered with 200 before it has failed.
      if (body.includes("<Error>")) throw this.#s3.refusal(200, body);
      return elementOf(body, "ETag") ?? "";
    };
    if (size <= this.#bounds.copyBytes) await copied({}, {});
    else
      await this.#inParts(to, size, this.#bounds.copyBytes, (start, end, query) =>
        copied(query, { "x-amz-copy-source-range": `bytes=${start}-${end - 1}` }),
      );
    return true;
  }

  /** Makes an object of parts, a few at once. The object is visible when the last step succeeds, and nothing is left when one fails. */
  async #inParts(
    key: string,
    size: number,
    partBytes: number,
    sendPart: (start: number, end: number, query: Record<string, string>) => Promise<string | undefined>,
  ): Promise<void> {
    const begun = await this.#s3.ask({
      method: "POST",
      key,
      query: { uploads: "" },
      headers: { "content-type": octets },
    });
    const uploadId = elementOf(begun.body, "UploadId") ?? "";
    const tags: string[] = [];
    const count = Math.ceil(size / partBytes);
    let next = 0;
    const sendParts = async (): Promise<void> => {
      while (next < count) {
        const part = next++;
        const end = Math.min(size, (part + 1) * partBytes);
        const query = { partNumber: String(part + 1), uploadId };
        try {
          tags[part] = (await sendPart(part * partBytes, end, query)) ?? "";
        } catch (error) {
          next = count;
          throw error;
        }
      }
    };
    try {
      const sent = await Promise.allSettled(Array.from({ length: partsAtOnce }, sendParts));
      const failed = sent.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
      await this.#assemble(key, uploadId, tags, size);
    } catch (error) {
      // The next collection removes objects that cannot be removed now.
      await this.#abort(key, uploadId).catch(() => undefined);
      throw error;
    }
  }

  async #assemble(key: string, uploadId: string, tags: readonly string[], size: number): Promise<void> {
    const parts = tags.map(
      (tag, at) =>
        `<Part><PartNumber>${at + 1}</PartNumber><ETag>${tag.replaceAll('"', "&quot;")}</ETag></Part>`,
    );
    const body = bodyOf(Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`));
    try {
      const done = await this.#s3.ask({ method: "POST", key, query: { uploadId }, body, workMs: assembleMs });
      if (done.body.includes("<Error>")) throw this.#s3.refusal(200, done.body);
    } catch (error) {
      // The reply to an earlier try, which made the object, may have been lost.
      const isGone = error instanceof S3Failure && error.s3Code === "NoSuchUpload";
      if (!isGone || (await this.#sizeOf(key)) !== size) throw error;
    }
  }

  async #abort(key: string, uploadId: string): Promise<void> {
    try {
      await this.#s3.ask({ method: "DELETE", key, query: { uploadId } });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async *#objects(folder: string): AsyncGenerator<{ key: string; size: number; ageMs: number }> {
    const prefix = this.#s3.place.prefix + folder;
    for (let token: string | undefined, isFirst = true; isFirst || token !== undefined; isFirst = false) {
      const query = {
        "list-type": "2",
        "max-keys": String(this.#bounds.pageKeys),
        prefix,
        ...(token !== undefined && { "continuation-token": token }),
      };
      const { headers, body } = await this.#s3.ask({ method: "GET", query });
      for (const object of elementsOf(body, "Contents"))
        yield {
          key: elementOf(object, "Key") ?? "",
          size: Number(elementOf(object, "Size")),
          ageMs: ageOf(object, "LastModified", headers.date),
        };
      token = elementOf(body, "NextContinuationToken");
    }
  }
}

const octets = "application/octet-stream";

function bodyOf(bytes: Buffer): S3Body {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { bytes: bytes.length, sha256, open: () => Readable.from([bytes]) };
}

function isMissing(error: unknown): boolean {
  return error instanceof S3Failure && error.reply === 404 && error.s3Code !== "NoSuchBucket";
}

function isHash(text: string): text is Sha256 {
  return v.is(sha256Schema, text);
}

/** The two times are of S3's clock. */
function ageOf(xml: string, element: string, now: string | undefined): number {
  return Date.parse(now ?? "") - Date.parse(elementOf(xml, element) ?? "");
}
