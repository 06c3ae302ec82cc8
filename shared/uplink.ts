import { PlatformError } from "./errors.ts";

/** A request of an upload (SPEC.md [TRANSFER-2]). */
export interface UploadRequest {
  readonly method: "HEAD" | "PUT" | "PATCH";
  /** The end of the address, behind the blob's. */
  readonly suffix: "" | "/upload";
  readonly headers: Record<string, string>;
  /** The bytes in the request's body. */
  readonly start: number;
  readonly end: number;
}

/** An upload under way, over all its tries. */
export interface SentPart {
  /** Bytes that the server is known to have. */
  length: number;
  /** Whether a try has begun, so that the server may have more. */
  isBegun: boolean;
}

/** A piece takes about this long, so that its sender hears of it well within the silence limit. */
const pieceMs = 4_000;
/** The first piece of a client that has uploaded nothing yet: 256 KiB. */
const firstBytesPerMs = 64;
const leastPieceBytes = 64 * 1024;
/** Proxies bound the body of a request. */
const mostPieceBytes = 64 * 1024 ** 2;
/** Times that one try asks again where to go on. */
const mostQuestions = 3;

/** Sends uploads in pieces that fit the link, and goes on with those that broke off. */
export class Uplink {
  #bytesPerMs = firstBytesPerMs;
  readonly #now: () => number;

  /** @param now - milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Sends what the server does not have of `size` bytes.
   * @param part - kept by the caller for the next try
   * @param send - resolves with `Upload-Offset` of the reply
   * @param moved - called when the server has taken a piece
   * @throws PlatformError the refusal of a request
   */
  async upload(
    size: number,
    part: SentPart,
    send: (request: UploadRequest) => Promise<number>,
    moved?: () => void,
  ): Promise<void> {
    for (let questions = 0; ;) {
      if (part.isBegun)
        part.length = await send({ method: "HEAD", suffix: "/upload", headers: {}, start: 0, end: 0 });
      part.isBegun = true;
      moved?.();
      try {
        await this.#send(size, part, send, moved);
        return;
      } catch (error) {
        // Another upload of the same sender went on with it, or the server let go of it.
        const isElsewhere =
          part.length > 0 &&
          error instanceof PlatformError &&
          (error.code === "CONFLICT" || error.code === "NOT_FOUND");
        if (!isElsewhere || ++questions > mostQuestions) throw error;
      }
    }
  }

  async #send(
    size: number,
    part: SentPart,
    send: (request: UploadRequest) => Promise<number>,
    moved?: () => void,
  ): Promise<void> {
    for (let isLast = false; !isLast;) {
      const start = part.length;
      const piece = Math.min(mostPieceBytes, Math.max(leastPieceBytes, this.#bytesPerMs * pieceMs));
      isLast = size - start <= 1.5 * piece;
      const end = isLast ? size : start + Math.floor(piece);
      const headers: Record<string, string> = {
        "upload-complete": isLast ? "?1" : "?0",
        "upload-length": String(size),
      };
      if (start > 0) headers["upload-offset"] = String(start);
      const begunAt = this.#now();
      try {
        await send({
          method: start > 0 ? "PATCH" : "PUT",
          suffix: start > 0 ? "/upload" : "",
          headers,
          start,
          end,
        });
      } catch (error) {
        this.#bytesPerMs /= 2;
        throw error;
      }
      this.#measure(end - start, this.#now() - begunAt);
      part.length = end;
      moved?.();
    }
  }

  /** A small piece tells more of the round trip than of the link. */
  #measure(bytes: number, ms: number): void {
    const bytesPerMs = bytes / Math.max(1, ms);
    if (bytesPerMs > this.#bytesPerMs || bytes >= leastPieceBytes) this.#bytesPerMs = bytesPerMs;
  }
}
