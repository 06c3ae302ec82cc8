import type { WebSocket } from "ws";

/**
 * Heartbeats without a pong: a pong may wait behind a large frame of the client, or the ping behind a frame of the
 * server.
 */
const beatsMissed = 2;
/** The same while bytes move: 12 MiB of results in front of a pong take three minutes at 0.5 Mbit/s. */
const beatsMissedMoving = 12;
/**
 * Bytes between two heartbeats from which a connection counts as moving; a client that only asks for tasks sends
 * less.
 */
const movingBytes = 32 * 1024;
/** A message may take this long from its first byte to its last: frames of 4 MiB take 67 s at 0.5 Mbit/s. */
const messageMs = 180_000;
/** Head and mask of a ping or pong. */
const controlBytes = 6;

/** Judges whether the client still hears the server, and finishes the messages that it begins. */
export class Liveness {
  readonly #socket: WebSocket;
  #missed = 0;
  #moved = 0;
  #movedAtBeat = 0;
  #isMoving = false;
  #bufferedAtBeat = 0;
  #unfinishedBytes = 0;
  #unfinishedSince: number | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** To be called with each chunk from the network, before a message that it completes. */
  received(bytes: number): void {
    this.#moved += bytes;
    this.#unfinishedBytes += bytes;
  }

  /** The network took bytes that were sent. */
  sent(bytes: number): void {
    this.#moved += bytes;
  }

  /** A message is complete. The rest of its chunk, at most 64 KiB, counts as finished too. */
  messageEnded(): void {
    this.#unfinishedBytes = 0;
    this.#unfinishedSince = undefined;
  }

  /** A control frame may stand between the fragments of a message, and does not finish the message. */
  pinged(data: Buffer): void {
    this.#unfinishedBytes = Math.max(0, this.#unfinishedBytes - controlBytes - data.length);
  }

  ponged(data: Buffer): void {
    this.#missed = 0;
    this.pinged(data);
  }

  /** Bytes of the unfinished message. */
  get unfinishedBytes(): number {
    return this.#unfinishedBytes;
  }

  /**
   * Pings; false when the connection counts as dead.
   * @param now - ms of a monotonic clock
   */
  beat(now: number): boolean {
    if (this.#unfinishedBytes === 0) this.#unfinishedSince = undefined;
    else if (now - (this.#unfinishedSince ??= now) >= messageMs) return false;
    const { bufferedAmount } = this.#socket;
    const moved = Math.max(this.#moved - this.#movedAtBeat, this.#bufferedAtBeat - bufferedAmount);
    this.#movedAtBeat = this.#moved;
    this.#bufferedAtBeat = bufferedAmount;
    // Only a pong proves that the client reads: a client that stopped reading may still send.
    // The network takes a frame as a whole, and a large one may outlast a heartbeat.
    const wasMoving = this.#isMoving;
    this.#isMoving = moved >= movingBytes;
    if (this.#missed >= (this.#isMoving || wasMoving ? beatsMissedMoving : beatsMissed)) return false;
    this.#missed += 1;
    this.#socket.ping();
    return true;
  }
}
