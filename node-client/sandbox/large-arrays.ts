import { largeBytes } from "./frames.ts";

/** Cuts the bytes of a sandbox process's pipe into arrays. The process may be hostile. */
export class LargeArrays {
  readonly #mostBytes: number;
  readonly #whole: Uint8Array[] = [];
  /** Bytes of the arrays that were not taken yet, the one that is under way included. */
  #bytes = 0;
  readonly #length = new Float64Array(1);
  readonly #header = new Uint8Array(this.#length.buffer);
  /** The header or array that the next bytes belong to, and how much of it is here. */
  #target = this.#header;
  #filled = 0;

  /** @param mostBytes - bytes that arrays may have together until they are taken */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Number of arrays that are whole. */
  get count(): number {
    return this.#whole.length;
  }

  /** Takes bytes from the pipe, which are copied. @throws Error when the other end does not keep to the protocol */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + this.#target.length - this.#filled);
      this.#target.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#target.length) this.#targetFilled();
    }
  }

  /** The oldest array that is whole. */
  take(): Uint8Array {
    const array = this.#whole.shift();
    if (!array) throw new Error("no array is whole");
    this.#bytes -= array.length;
    return array;
  }

  #targetFilled(): void {
    this.#filled = 0;
    if (this.#target !== this.#header) {
      this.#whole.push(this.#target);
      this.#target = this.#header;
      return;
    }
    const length = this.#length[0]!;
    if (!Number.isSafeInteger(length) || length < largeBytes) throw new Error("an array without a length");
    this.#bytes += length;
    if (this.#bytes > this.#mostBytes) throw new Error("an array that is too large");
    // The array is not zeroed, because it is used only after it is filled.
    this.#target = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  }
}
