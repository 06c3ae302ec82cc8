import type { Request, Response } from "express";
import { Writable } from "node:stream";
import { constants, createGzip, type Gzip, type ZlibParams } from "node:zlib";
import { shrinks } from "../../system/deflated-frames.ts";

/** Bytes of smaller chunks are compressed like those before them. */
const leastBytes = 8 * 1024;
/** Level 1 makes records as JSON 0.28 of their size at 150 MB/s; level 0 wraps bytes at 740 MB/s. */
const levels = { text: 1, other: 0 } as const;
/** Blobs that are compressed at the same time; others leave as they are. Strangers ask for blobs, and each takes a thread at 150 MB/s. */
const mostBlobs = 8;
/** A reader takes 64 KiB of memory instead of 256, and text becomes as small. */
const memory = { windowBits: 13, memLevel: 6 } as const;

/** Takes the body of a lasting reply in chunks. */
export interface ReplyBody {
  /** @returns a promise to wait for before the next chunk, if necessary: the reader has room again, or has gone */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** Sends what was written. */
  flush(): void;
  end(): void;
}

/** The body of a reply, compressed for a reader who asked for that (SPEC.md [MILES-8]). Headers are set, and have to be sent afterwards. */
export function replyBody(req: Request, res: Response, signal: AbortSignal): ReplyBody {
  res.vary("Accept-Encoding");
  if (req.acceptsEncodings("gzip") !== "gzip") return new PlainBody(res, signal);
  res.setHeader("Content-Encoding", "gzip");
  return new GzipBody(res, signal);
}

class PlainBody implements ReplyBody {
  readonly #res: Response;
  readonly #signal: AbortSignal;

  constructor(res: Response, signal: AbortSignal) {
    this.#res = res;
    this.#signal = signal;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    return this.#res.write(chunk) ? undefined : drained(this.#res, this.#signal);
  }

  flush(): void {
    // Nothing is held back.
  }

  end(): void {
    if (!this.#res.destroyed) this.#res.end();
  }
}

class GzipBody implements ReplyBody {
  readonly #gzip: Gzip & ZlibParams;
  readonly #signal: AbortSignal;
  #level: number = levels.text;

  constructor(res: Response, signal: AbortSignal) {
    this.#signal = signal;
    this.#gzip = createGzip({ ...memory, level: this.#level }) as Gzip & ZlibParams;
    this.#gzip.pipe(res);
    res.once("close", () => this.#gzip.destroy());
  }

  async write(chunk: Uint8Array): Promise<void> {
    const level = chunk.length < leastBytes ? this.#level : shrinks(chunk) ? levels.text : levels.other;
    if (level !== this.#level) await this.#setLevel(level);
    if (!this.#signal.aborted && !this.#gzip.write(chunk)) await drained(this.#gzip, this.#signal);
  }

  flush(): void {
    this.#gzip.flush(constants.Z_SYNC_FLUSH);
  }

  end(): void {
    if (!this.#gzip.destroyed) this.#gzip.end();
  }

  #setLevel(level: number): Promise<void> {
    this.#level = level;
    return untilCalled((done) => this.#gzip.params(level, constants.Z_DEFAULT_STRATEGY, done), this.#signal);
  }
}

let compressedBlobs = 0;

/** Takes the bytes of a blob, and compresses them when the first of them shrink (SPEC.md [MILES-9]). Headers are set, and have to be sent afterwards. */
export class ShrinkingReply extends Writable {
  readonly #res: Response;
  #out: Writable | undefined;

  constructor(res: Response) {
    super();
    this.#res = res;
    res.once("close", () => this.destroy());
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#out ??= this.#begin(chunk);
    this.#out.write(chunk, done);
  }

  override _final(done: () => void): void {
    (this.#out ?? this.#res).end(done);
  }

  #begin(first: Buffer): Writable {
    const res = this.#res;
    if (first.length < leastBytes || compressedBlobs >= mostBlobs || res.destroyed || !shrinks(first))
      return res;
    compressedBlobs++;
    res.removeHeader("Content-Length");
    // The strong tag is that of the plain bytes, in which ranges count.
    res.set({ "Content-Encoding": "gzip", ETag: `W/${res.get("ETag")}` });
    const gzip = createGzip({ ...memory, level: levels.text });
    gzip.pipe(res);
    res.once("close", () => {
      compressedBlobs--;
      gzip.destroy();
    });
    return gzip;
  }
}

function drained(out: Writable, signal: AbortSignal): Promise<void> {
  return untilCalled((done) => {
    out.once("drain", done);
    return () => out.off("drain", done);
  }, signal);
}

/** Resolves when `begin` calls back, or the signal is aborted. */
function untilCalled(begin: (done: () => void) => (() => void) | void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      cancel?.();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = begin(done);
    signal.addEventListener("abort", done, { once: true });
  });
}
