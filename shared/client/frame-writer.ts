import { limits } from "../limits.ts";
import { encodeFrame, type ClientMessage, type TaskResult } from "../wire/protocol.ts";
import type { TransportConnection } from "./ports.ts";

/**
 * A frame, or a message of results, is closed when its values have this many bytes: the server acknowledges whole frames, and this is
 * 8 s at 0.5 Mbit/s.
 */
export const frameBytes = 512 * 1024;
const messagesPerFrame = 1024;
/** Above this many unsent bytes further frames wait, so that results are in memory once instead of twice. */
const bufferedBytes = 8 * 1024 * 1024;

/** Gathers messages and sends them as one frame in a turn of the event loop; results of one job become one message. */
export class FrameWriter {
  readonly #connection: TransportConnection;
  #pending: ClientMessage[] = [];

  constructor(connection: TransportConnection) {
    this.#connection = connection;
  }

  push(message: ClientMessage): void {
    const last = this.#pending.at(-1);
    const fits =
      message.type === "results" &&
      last?.type === "results" &&
      last.job === message.job &&
      last.results.length + message.results.length <= limits.tasksPerMessage &&
      sizeOf(last) + sizeOf(message) <= frameBytes;
    if (fits)
      this.#pending[this.#pending.length - 1] = { ...last, results: [...last.results, ...message.results] };
    else this.#pending.push(message);
  }

  /**
   * Sends waiting messages.
   * @returns false when the network is behind and some messages still wait
   * @param force - sends all of them, for the last words of a client
   */
  flush(force = false): boolean {
    while (this.#pending.length > 0) {
      if (!force && this.#connection.bufferedBytes > bufferedBytes) return false;
      let bytes = 0;
      let count = 0;
      for (const message of this.#pending) {
        const size = sizeOf(message);
        if (count > 0 && (bytes + size > frameBytes || count >= messagesPerFrame)) break;
        bytes += size;
        count++;
      }
      this.#connection.send(encodeFrame(this.#pending.splice(0, count)));
    }
    return true;
  }
}

/** A rough size: only values can be large. */
function sizeOf(message: ClientMessage): number {
  if (message.type === "checkpoint") return message.state.length;
  if (message.type === "log") return 200 * message.lines.length;
  if (message.type !== "results") return 256;
  return resultBytes(message.results);
}

/** Rough size of results in a frame, in bytes. */
export function resultBytes(results: readonly TaskResult[]): number {
  let bytes = 0;
  for (const { outcome } of results) {
    bytes += 64;
    if (outcome.state === "failed")
      bytes += outcome.failure.message.length + (outcome.failure.stack?.length ?? 0);
    else
      bytes +=
        (outcome.output instanceof Uint8Array ? outcome.output.length : 100) +
        80 * (outcome.refs?.length ?? 0);
  }
  return bytes;
}
