import type { WebSocket } from "ws";

/** A pong may wait behind a large frame of the client, or the ping behind one of ours. */
const beatsMissed = 2;
/** While bytes move it may be late: 12 MiB of results before it take three minutes at 0.5 Mbit/s. */
const beatsMissedMoving = 12;
/** Moved between two beats; a client that only asks for tasks sends less. */
const movingBytes = 32 * 1024;
/** From the first byte of a message to its last: the 4 MiB that clients put into a frame take 67 s at 0.5 Mbit/s. */
const messageMs = 180_000;
/** Head and mask of a ping or pong. */
const controlBytes = 6;

/** Whether the other end of a connection still hears the server, and finishes the messages that it begins. */
export class Liveness {
  readonly #socket: WebSocket;
  #missed = 0;
  #received = 0;
  #receivedAtBeat = 0;
  #bufferedAtBeat = 0;
  #unfinishedBytes = 0;
  #unfinishedSince: number | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** To be called with each chunk from the network, before a message that it completes. */
  received(bytes: number): void {
    this.#received += bytes;
    this.#unfinishedBytes += bytes;
  }

  /** A message is complete. What follows in the same chunk counts as finished: at most 64 KiB. */
  messageEnded(): void {
    this.#unfinishedBytes = 0;
    this.#unfinishedSince = undefined;
  }

  /** Control frames may stand between the fragments of a message, and do not finish it. */
  pinged(data: Buffer): void {
    this.#unfinishedBytes = Math.max(0, this.#unfinishedBytes - controlBytes - data.length);
  }

  ponged(data: Buffer): void {
    this.#missed = 0;
    this.pinged(data);
  }

  /** Bytes of a message that has begun and is not complete. */
  get unfinishedBytes(): number {
    return this.#unfinishedBytes;
  }

  /**
   * Pings; false when the connection is as good as dead.
   * @param now - ms of a monotonic clock
   */
  beat(now: number): boolean {
    if (this.#unfinishedBytes === 0) this.#unfinishedSince = undefined;
    else if (now - (this.#unfinishedSince ??= now) >= messageMs) return false;
    const { bufferedAmount } = this.#socket;
    const moved = Math.max(this.#received - this.#receivedAtBeat, this.#bufferedAtBeat - bufferedAmount);
    this.#receivedAtBeat = this.#received;
    this.#bufferedAtBeat = bufferedAmount;
    // Only a pong tells that the client reads: what else it says may come from one that does not.
    if (this.#missed >= (moved >= movingBytes ? beatsMissedMoving : beatsMissed)) return false;
    this.#missed += 1;
    this.#socket.ping();
    return true;
  }
}
