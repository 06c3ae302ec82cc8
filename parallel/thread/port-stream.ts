import { Duplex } from "node:stream";
import type { MessagePort } from "node:worker_threads";

/** Bytes under way in one direction before the writer waits for the reader. */
const windowBytes = 1024 * 1024;

/** A chunk, the end of one direction, or the number of bytes that the other side has read. */
type Frame = Uint8Array | "end" | number;

/**
 * A connection between two threads that HTTP takes for a socket. No port is opened, and bytes are transferred, not copied twice. As a
 * socket, a stream keeps the process alive while it is `ref`ed.
 */
export class PortStream extends Duplex {
  readonly #port: MessagePort;
  #underWay = 0;
  #waiting: (() => void) | undefined;
  #unread: number[] = [];

  constructor(port: MessagePort) {
    super({ allowHalfOpen: true });
    this.#port = port;
    port.on("message", (frame: Frame) => this.#received(frame));
    port.on("close", () => this.destroy());
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // The chunk gets a buffer of its own, because a view would take the whole pool of buffers along.
    const bytes = new Uint8Array(chunk);
    this.#underWay += bytes.length;
    this.#port.postMessage(bytes, [bytes.buffer]);
    if (this.#underWay < windowBytes) done();
    else this.#waiting = done;
  }

  override _final(done: () => void): void {
    this.#port.postMessage("end");
    done();
  }

  override _read(): void {
    this.#acknowledge();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#port.close();
    done(error);
  }

  ref(): this {
    this.#port.ref();
    return this;
  }

  unref(): this {
    this.#port.unref();
    return this;
  }

  // HTTP calls these methods of sockets; a connection inside one process has no use for them.
  setTimeout(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }

  #received(frame: Frame): void {
    if (typeof frame === "number") return this.#wasRead(frame);
    if (frame === "end") return void this.push(null);
    this.#unread.push(frame.length);
    if (this.push(Buffer.from(frame.buffer, frame.byteOffset, frame.length))) this.#acknowledge();
  }

  #acknowledge(): void {
    if (this.#unread.length === 0) return;
    const bytes = this.#unread.reduce((sum, length) => sum + length, 0);
    this.#unread = [];
    this.#port.postMessage(bytes);
  }

  #wasRead(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay >= windowBytes) return;
    const resume = this.#waiting;
    this.#waiting = undefined;
    resume?.();
  }
}
