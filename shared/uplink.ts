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
/** Times that a try asks the server again for the offset. */
const mostQuestions = 3;

/**
 * Sends the bytes that the server does not have, of `size` bytes.
 * @param part - kept by the caller for the next try
 * @param send - resolves with `Upload-Offset` of the reply
 * @param moved - called when the server has taken a piece
 * @throws PlatformError the refusal of a request
 */
export type SendUpload = (
  size: number,
  part: SentPart,
  send: (request: UploadRequest) => Promise<number>,
  moved?: () => void,
) => Promise<void>;

/**
 * Makes the sender of a client's uploads: in pieces that fit the link, and going on with those that broke off.
 * @param now - milliseconds, monotonic
 */
export function createUplink(now: () => number): SendUpload {
  let bytesPerMs = firstBytesPerMs;

  /** @returns whether it was the last piece */
  async function sendPiece(...[size, part, send]: Parameters<SendUpload>): Promise<boolean> {
    const start = part.length;
    const piece = Math.min(mostPieceBytes, Math.max(leastPieceBytes, bytesPerMs * pieceMs));
    const isLast = size - start <= 1.5 * piece;
    const end = isLast ? size : start + Math.floor(piece);
    const headers = { "upload-complete": isLast ? "?1" : "?0", "upload-length": `${size}` };
    const begunAt = now();
    try {
      await send(
        start > 0
          ? {
              method: "PATCH",
              suffix: "/upload",
              headers: { ...headers, "upload-offset": `${start}` },
              start,
              end,
            }
          : { method: "PUT", suffix: "", headers, start, end },
      );
    } catch (error) {
      bytesPerMs /= 2;
      throw error;
    }
    const measured = (end - start) / Math.max(1, now() - begunAt);
    // A small piece tells more of the round trip than of the link.
    if (measured > bytesPerMs || end - start >= leastPieceBytes) bytesPerMs = measured;
    part.length = end;
    return isLast;
  }

  return async (size, part, send, moved) => {
    for (let questions = 0; ;) {
      if (part.isBegun)
        part.length = await send({ method: "HEAD", suffix: "/upload", headers: {}, start: 0, end: 0 });
      part.isBegun = true;
      moved?.();
      try {
        for (let isLast = false; !isLast; moved?.()) isLast = await sendPiece(size, part, send);
        return;
      } catch (error) {
        // Another upload of the same sender continued the blob, or the server removed the partial upload.
        const { code } = PlatformError.from(error);
        const isElsewhere = part.length > 0 && (code === "CONFLICT" || code === "NOT_FOUND");
        if (!isElsewhere || ++questions > mostQuestions) throw error;
      }
    }
  };
}
