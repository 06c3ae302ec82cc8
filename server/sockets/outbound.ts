import type { WebSocket } from "ws";
import { limits } from "../../shared/limits.ts";
import { pacedBytes } from "../../shared/wire/paced-bytes.ts";
import { deflateSubprotocol, encodeFrame, type ServerMessage } from "../../shared/wire/protocol.ts";
import { FrameSender } from "../../system/deflated-frames.ts";

/** A client with this many unread bytes is cut off, and its leases go to others (SPEC.md [FLOW-2]). */
const maxBufferedBytes = 16 * 1024 * 1024;
/**
 * A frame is sent when its inline values reach this. A page hears of a frame when all of it is there, and takes three missed signs of
 * life for the end: at 0.5 Mbit/s this, and one value more, are 8 s (SPEC.md [MILES-1]).
 */
const flushBytes = 256 * 1024;
/** Bytes of inline values after which the scheduler is told that the network took them. */
const toldBytes = 64 * 1024;

/**
 * Messages other than leases (mostly acknowledgements) wait this long for a lease to share its frame: no slot waits
 * for them.
 */
const laterMs = 5;

/** Coalesces messages into few frames. */
export class Outbound {
  readonly #socket: WebSocket;
  readonly #frames: FrameSender;
  readonly #onRead: (bytes: number) => void;
  #queue: ServerMessage[] = [];
  #bytes = 0;
  /** Bytes of inline values in leases of which the scheduler was not told yet. */
  #untoldBytes = 0;
  #scheduled: "no" | "soon" | "later" = "no";
  /** Messages are held until the welcome, which has to be the first. */
  #held = true;

  /** @param onRead - called when the network has taken so many bytes of inline values */
  constructor(socket: WebSocket, onRead: (bytes: number) => void) {
    this.#socket = socket;
    this.#frames = new FrameSender(socket, deflateSubprotocol);
    this.#onRead = onRead;
  }

  /** False when the client reads too slowly and is to be cut off. */
  send(message: ServerMessage): boolean {
    if (message.type === "lease")
      for (const { input, resume } of message.tasks) this.#untoldBytes += pacedBytes(input, resume);
    this.#push(message);
    this.#bytes += sizeOf(message);
    if (this.#bytes > flushBytes) this.flush();
    else this.#schedule(message.type === "lease" ? "soon" : "later");
    return this.#frames.bufferedBytes < maxBufferedBytes;
  }

  /** Leases leave within this turn, before the reply to a submit: a slot may be waiting for them. */
  #schedule(when: "soon" | "later"): void {
    if (this.#scheduled === when || this.#scheduled === "soon") return;
    this.#scheduled = when;
    const flush = (): void => this.flush();
    if (when === "soon") process.nextTick(flush);
    else setTimeout(flush, laterMs);
  }

  /** Leases of one job become one message: a job without results is handed out a few tasks a turn. */
  #push(message: ServerMessage): void {
    const last = this.#queue.at(-1);
    const fits =
      message.type === "lease" &&
      last?.type === "lease" &&
      last.job === message.job &&
      last.tasks.length + message.tasks.length <= limits.tasksPerMessage;
    if (fits) last.tasks.push(...message.tasks);
    else this.#queue.push(message);
  }

  /** Sends the held queue, with this message in front. */
  release(first: ServerMessage): void {
    this.#held = false;
    this.#queue.unshift(first);
    this.flush();
  }

  /** Sends the queue, then the last message of the connection. */
  sendLast(message: ServerMessage): void {
    this.flush();
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(encodeFrame([message]));
  }

  flush(): void {
    this.#scheduled = "no";
    if (this.#held || this.#queue.length === 0) return;
    const messages = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    for (let at = 0; at < messages.length; at += limits.messagesPerFrame)
      this.#frames.send(encodeFrame(messages.slice(at, at + limits.messagesPerFrame)), this.#whenRead());
  }

  /** A listener for the frame that is sent now, seldom enough that tiny tasks cost no more for it. */
  #whenRead(): (() => void) | undefined {
    const bytes = this.#untoldBytes;
    if (bytes < toldBytes) return undefined;
    this.#untoldBytes = 0;
    return () => this.#onRead(bytes);
  }
}

/** An estimate: only values can be large. */
function sizeOf(message: ServerMessage): number {
  if (message.type === "accepted" || message.type === "verdict" || message.type === "cancel")
    return 64 + 9 * (message.indexes?.length ?? 0);
  if (message.type === "precache")
    return message.blobs.reduce((sum, { ranges = [] }) => sum + 100 + 24 * ranges.length, 64);
  if (message.type !== "lease") return 64;
  let bytes = 256 + (message.kernel?.length ?? 0);
  for (const task of message.tasks) {
    bytes += 64 + (task.refs?.length ?? 0) * 80 + (task.resume?.length ?? 0);
    if (task.input instanceof Uint8Array) bytes += task.input.length;
  }
  return bytes;
}
