import type { ColumnPack, Placed } from "./column-pack.ts";
import { keptBytes } from "./value-encoder.ts";

const firstCapacity = 16 * 1024;

/**
 * Fills a {@link ColumnPack} task by task. Each value is copied when it is added, so the caller may reuse its buffer; a first value of more
 * than {@link keptBytes} is taken over, because each copy of megabytes takes new memory.
 */
export class PackWriter<Extra extends object = object> {
  #sizes: number[] = [];
  #extras: Placed<Extra>[] = [];
  #buffer: Uint8Array;
  #used = 0;

  constructor(capacity = firstCapacity) {
    this.#buffer = new Uint8Array(capacity);
  }

  get count(): number {
    return this.#sizes.length;
  }

  /** Bytes of all values. */
  get used(): number {
    return this.#used;
  }

  add(value: Uint8Array, extra?: Extra): void {
    if (extra) this.#extras.push({ at: this.#sizes.length, ...extra });
    const end = this.#used + value.length;
    if (this.#used === 0 && end > keptBytes) this.#buffer = value;
    else {
      if (end > this.#buffer.length) this.#grow(end);
      this.#buffer.set(value, this.#used);
    }
    this.#used = end;
    this.#sizes.push(value.length);
  }

  /** Adds a task without a value in the pack. The returned properties may still be set. */
  addExtra(extra: Extra): Placed<Extra> {
    const placed = { at: this.#sizes.length, ...extra };
    this.#extras.push(placed);
    this.#sizes.push(0);
    return placed;
  }

  /** The pack so far. The next pack overwrites its bytes. */
  get pack(): ColumnPack<Extra> {
    return {
      sizes: this.#sizes,
      bytes: this.#buffer.subarray(0, this.#used),
      ...(this.#extras.length > 0 && { extras: this.#extras }),
    };
  }

  clear(): void {
    this.#sizes = [];
    this.#extras = [];
    this.#used = 0;
    // A larger buffer, which large values needed, is not kept for the next pack.
    if (this.#buffer.length > keptBytes) this.#buffer = new Uint8Array(firstCapacity);
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
  }
}
