import { deflate, deflateSync, inflateSync } from "node:zlib";
import type { WebSocket } from "ws";

/** Smaller frames cost more time than their bytes. */
const leastBytes = 8 * 1024;
/** Larger frames travel as they are: this many bytes are inflated in 3 ms. */
const mostBytes = 1024 * 1024;
/** Records as JSON become 0.34 of their size at 120 MB/s; level 6 makes 0.30 of it at 35 MB/s. */
const level = 1;
/** Level 1 makes 0.89 of the size of floats, at 40 MB/s. A sample from the middle tells such frames in 0.1 ms. */
const sampleBytes = 4096;
const worthwhileRatio = 0.8;
/** First byte of a zlib stream (RFC 1950). A frame in MessagePack begins with the head of an array instead. */
const zlibHead = 0x78;

/** Whether a frame came compressed (SPEC.md [MILES-7]). */
export function isDeflated(frame: Uint8Array): boolean {
  return frame[0] === zlibHead;
}

/** @throws Error when the frame is damaged, or larger than any that is sent compressed */
export function inflateFrame(frame: Uint8Array): Uint8Array {
  return inflateSync(frame, { maxOutputLength: mostBytes });
}

/** Sends frames in their order, compressed when the network is what they wait for. */
export class FrameSender {
  readonly #socket: WebSocket;
  readonly #subprotocol: string;
  readonly #pace = new NetworkPace();
  /** The end of the newest compression and of what waits behind it. */
  #last: Promise<void> | undefined;
  #waitingBytes = 0;

  /** @param subprotocol - of connections whose other end takes compressed frames */
  constructor(socket: WebSocket, subprotocol: string) {
    this.#socket = socket;
    this.#subprotocol = subprotocol;
  }

  /** Bytes that the network has not taken. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount + this.#waitingBytes;
  }

  /** @param taken - called when the network has taken the frame */
  send(frame: Uint8Array, taken?: () => void): void {
    const pays = this.#pays(frame);
    if (!pays && !this.#last) return this.#write(frame, taken);
    this.#waitingBytes += frame.length;
    const last = Promise.all([pays ? deflated(frame) : frame, this.#last]).then(([bytes]) => {
      this.#waitingBytes -= frame.length;
      if (this.#last === last) this.#last = undefined;
      this.#write(bytes, taken);
    });
    this.#last = last;
  }

  /** Closes the connection behind all frames. */
  close(code: number, reason: string): void {
    if (this.#last) this.#last = this.#last.then(() => this.#socket.close(code, reason));
    else this.#socket.close(code, reason);
  }

  #pays(frame: Uint8Array): boolean {
    return (
      frame.length >= leastBytes &&
      frame.length <= mostBytes &&
      this.#pace.isSlow(performance.now()) &&
      this.#socket.protocol === this.#subprotocol &&
      shrinks(frame)
    );
  }

  #write(frame: Uint8Array, taken?: () => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    let paced: ((now: number) => void) | undefined;
    if (frame.length < leastBytes && !taken) return this.#socket.send(frame);
    this.#socket.send(frame, (error) => {
      if (error) return;
      paced?.(performance.now());
      taken?.();
    });
    if (frame.length < leastBytes) return;
    // The socket calls back at the end of the turn at the earliest, also when the network took the frame at once.
    if (this.#socket.bufferedAmount === 0) this.#pace.took(frame.length);
    else paced = this.#pace.gave(frame.length, performance.now());
  }
}

/** Whether compression pays, by a sample of the bytes, which are at least 8 KiB. */
export function shrinks(bytes: Uint8Array): boolean {
  const middle = (bytes.length - sampleBytes) >> 1;
  const sample = bytes.subarray(middle, middle + sampleBytes);
  return deflateSync(sample, { level }).length < worthwhileRatio * sampleBytes;
}

function deflated(frame: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve) =>
    deflate(frame, { level }, (error, bytes) => resolve(error ? frame : bytes)),
  );
}

/** A network that takes less than 100 Mbit/s is slower than compression. */
const slowBytesPerMs = 12_500;
/** A network was waited for this long before it counts as slow: the other end may have been busy for a moment. */
const leastWaitMs = 100;
/** Older bytes and waits count half. The buffers of the system take a megabyte or two without a wait. */
const memoryBytes = 4 * 1024 * 1024;

/** Judges by the time in which frames wait for the network how fast that is. */
export class NetworkPace {
  #waiting = 0;
  #since = 0;
  #bytes = 0;
  #waitedMs = 0;

  /**
   * Notes that the network was given bytes.
   * @param now - ms of a monotonic clock, as in the returned function, which notes that the network has taken the bytes
   */
  gave(bytes: number, now: number): (now: number) => void {
    if (this.#waiting++ === 0) this.#since = now;
    return (now) => {
      this.#waiting--;
      this.#waitedMs += now - this.#since;
      this.#since = now;
      this.took(bytes);
    };
  }

  /** Notes that the network has taken bytes, without a wait unless {@link gave} noted it. */
  took(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < memoryBytes) return;
    this.#bytes /= 2;
    this.#waitedMs /= 2;
  }

  isSlow(now: number): boolean {
    const waitedMs = this.#waitedMs + (this.#waiting > 0 ? now - this.#since : 0);
    return waitedMs >= leastWaitMs && this.#bytes < slowBytesPerMs * waitedMs;
  }
}
