import type { ColumnPack, Placed } from "./column-pack.ts";

const firstCapacity = 16 * 1024;
/** A larger buffer, which one large value needed, is not kept for the next pack. */
const keptCapacity = 1024 * 1024;

/** Fills a {@link ColumnPack} task by task. Each value is copied when it is added, so the caller may reuse its buffer. */
export class PackWriter<Extra extends object = object> {
  #sizes: number[] = [];
  #extras: Placed<Extra>[] = [];
  #buffer: Uint8Array<ArrayBuffer>;
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
    if (end > this.#buffer.length) this.#grow(end);
    this.#buffer.set(value, this.#used);
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
    if (this.#buffer.length > keptCapacity) this.#buffer = new Uint8Array(firstCapacity);
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
  }
}
