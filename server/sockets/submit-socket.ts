import type { Logger } from "pino";
import type { RawData, WebSocket } from "ws";
import { PlatformError } from "../../shared/errors.ts";
import { plainBytes } from "../../shared/wire/plain-bytes.ts";
import { readTaskPack, type PackedTask } from "../../shared/wire/task-pack.ts";
import type { Submitted } from "../../shared/wire/rest/submission.ts";
import type { TokenBucket } from "./rate-limit.ts";

/** Unanswered packs beyond which the socket is not read: an honest customer has one. */
const packsAhead = 4;
/**
 * Unread bytes of answers beyond which the submit socket ends: an honest customer reads each answer before the next
 * pack.
 */
const maxUnreadBytes = 64 * 1024;
/** A submit socket that is over is cut when it has not closed after this. */
const closeTimeoutMs = 2000;

interface Parts {
  readonly tokenId: string;
  /** Shared by all submit sockets of the token. */
  readonly bucket: TokenBucket;
  readonly stillAllowed: () => Promise<boolean>;
  readonly submit: (tasks: readonly PackedTask[]) => Promise<Submitted>;
  readonly closed: () => void;
  readonly log: Logger;
}

/**
 * The WebSocket of a customer for the tasks of one job. Packs are taken one after another. A refused pack ends the
 * submit socket: the customer posts the pack again, and the reply to the POST says why in full.
 */
export class SubmitSocket {
  readonly tokenId: string;
  readonly #socket: WebSocket;
  readonly #parts: Parts;
  /** Settles when every pack that arrived is answered. */
  #answered: Promise<void> = Promise.resolve();
  #waiting = 0;
  #over = false;

  constructor(socket: WebSocket, parts: Parts) {
    this.#socket = socket;
    this.#parts = parts;
    this.tokenId = parts.tokenId;
    socket.on("message", (data, isBinary) => this.#received(data, isBinary));
    socket.on("close", parts.closed);
    socket.on("error", (error) => parts.log.debug({ err: error }, "submit socket error"));
  }

  /** Ends the submit socket: its token was revoked. */
  revoked(): void {
    this.#refuse(new PlatformError("UNAUTHENTICATED", "The token was revoked."));
  }

  /** Takes no more packs; closes when every pack that arrived is answered. */
  leave(): void {
    this.#answered = this.#answered.then(() =>
      this.#refuse(new PlatformError("SHUTTING_DOWN", "The server is going down.")),
    );
  }

  #received(data: RawData, isBinary: boolean): void {
    if (++this.#waiting > packsAhead) this.#socket.pause();
    this.#answered = this.#answered.then(async () => {
      if (this.#over) return;
      try {
        const submitted = await this.#take(data, isBinary);
        this.#socket.send(JSON.stringify(submitted));
        if (this.#socket.bufferedAmount > maxUnreadBytes)
          throw new PlatformError("TOO_MANY", "The answers on this submit socket are not read.");
        if (--this.#waiting <= packsAhead) this.#socket.resume();
      } catch (error) {
        this.#refuse(error);
      }
    });
  }

  async #take(data: RawData, isBinary: boolean): Promise<Submitted> {
    if (!isBinary || !(data instanceof Uint8Array))
      throw new PlatformError("BAD_REQUEST", "A text message; expected a pack of tasks.");
    if (!this.#parts.bucket.take(1, performance.now()))
      throw new PlatformError("TOO_MANY", "More packs a second than the server takes of one token.");
    if (!(await this.#parts.stillAllowed()))
      throw new PlatformError("UNAUTHENTICATED", "The token was revoked or has expired.");
    return this.#parts.submit(readTaskPack(plainBytes(data)));
  }

  #refuse(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const refusal = PlatformError.from(error);
    if (refusal.code === "INTERNAL") this.#parts.log.error({ err: error }, "a submit socket failed");
    this.#socket.close(refusal.closeCode, refusal.code);
    // A paused socket would not see the customer's close frame.
    this.#socket.resume();
    setTimeout(() => this.#socket.terminate(), closeTimeoutMs).unref();
  }
}
