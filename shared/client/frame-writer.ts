import { limits } from "../limits.ts";
import { encodeFrame, type ClientMessage, type TaskResult } from "../wire/protocol.ts";
import type { TransportConnection } from "./ports.ts";

/** A frame, or a message of results, is closed when its values reach this. */
export const frameBytes = 4 * 1024 * 1024;
const messagesPerFrame = 1024;
/** With this much on the way, further frames wait: results stay in memory once instead of twice. */
const bufferedBytes = 8 * 1024 * 1024;

/** Gathers messages and sends them as one frame a turn of the event loop; results of one job become one message. */
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
   * Sends what waits; false when the network is behind and some of it has to wait.
   * @param force - sends everything, however far behind the network is: these are the last words
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

/** Rough: only values can be large. */
function sizeOf(message: ClientMessage): number {
  if (message.type === "checkpoint") return message.state.length;
  if (message.type === "log") return 200 * message.lines.length;
  if (message.type !== "results") return 256;
  return resultBytes(message.results);
}

/** About how many bytes results take in a frame. */
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
