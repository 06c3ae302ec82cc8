import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { messageOf } from "../../shared/errors.ts";
import { bufferDropped, bufferTransferred } from "../../system/garbage.ts";
import { completed, lengthBytes, pipeDescriptor, type Frame, type FrameSender } from "./frames.ts";
import { LargeArrays } from "./large-arrays.ts";

/**
 * Most messages that wait for the arrays of an earlier one, or their own. A process writes arrays before their message, so what is
 * missing is in the pipe; a runner with all its calls open has sent a quarter of that.
 */
const mostWaiting = 4096;

interface SandboxChannelOptions {
  /** Bytes of large arrays that may have come before their messages. */
  readonly mostBytes: number;
  /** Takes a whole message, in the order in which they were sent. */
  readonly received: (kind: string, message: unknown) => void;
  /** Called when the process does not keep to the protocol. */
  readonly violated: (what: string) => void;
}

/** The client's end of the channel to a sandbox process: frames by IPC, and large arrays on their pipe. */
export class SandboxChannel implements FrameSender {
  readonly #child: ChildProcess;
  readonly #options: SandboxChannelOptions;
  readonly #pipe: Socket;
  readonly #arrays: LargeArrays;
  #waiting: { kind: string; content: unknown; count: number }[] = [];
  #closed = false;

  constructor(child: ChildProcess, options: SandboxChannelOptions) {
    this.#child = child;
    this.#options = options;
    this.#arrays = new LargeArrays(options.mostBytes);
    this.#pipe = child.stdio[pipeDescriptor] as Socket;
    this.#pipe.on("data", (chunk: Uint8Array) => this.#guarded(() => this.#takeBytes(chunk)));
    // The end of the process reports a failure here, too.
    this.#pipe.on("error", () => undefined);
    child.on("message", (frame: unknown) => this.#guarded(() => this.#takeFrame(frame)));
  }

  post(frame: Frame): void {
    if (this.#child.connected) this.#child.send(frame, () => undefined);
  }

  sendLarge(bytes: Uint8Array): void {
    bufferTransferred(bytes.length);
    const length = new Uint8Array(Float64Array.of(bytes.length).buffer, 0, lengthBytes);
    this.#pipe.cork();
    this.#pipe.write(length);
    this.#pipe.write(bytes);
    this.#pipe.uncork();
  }

  /** Takes nothing from the process any more. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #guarded(take: () => void): void {
    if (this.#closed) return;
    try {
      take();
    } catch (error) {
      this.#options.violated(messageOf(error));
    }
  }

  #takeBytes(chunk: Uint8Array): void {
    this.#arrays.push(chunk);
    bufferDropped(chunk.length);
    this.#deliver();
  }

  #takeFrame(frame: unknown): void {
    if (!Array.isArray(frame)) throw new Error("an unknown message");
    const [kind, content, count = 0] = frame as unknown[];
    if (typeof count !== "number" || !(count >= 0)) throw new Error("a message without a number of arrays");
    if (this.#waiting.push({ kind: String(kind), content, count }) > mostWaiting)
      throw new Error("a message whose arrays do not come");
    this.#deliver();
  }

  #deliver(): void {
    for (;;) {
      const [first] = this.#waiting;
      if (!first || first.count > this.#arrays.count) return;
      this.#waiting.shift();
      const { kind, content, count } = first;
      const next = (): Uint8Array => this.#takeArray();
      this.#options.received(kind, count > 0 ? completed(content, count, next) : content);
    }
  }

  #takeArray(): Uint8Array {
    const array = this.#arrays.take();
    bufferTransferred(array.length);
    return array;
  }
}
