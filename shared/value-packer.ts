const firstCapacity = 16 * 1024;

/**
 * Puts values together one at a time, as a `ValuePack`; each is copied as it is added, so that it may be a view of a
 * buffer that is used again.
 */
export class ValuePacker {
  readonly sizes: number[] = [];
  #buffer: Uint8Array<ArrayBuffer>;
  #used = 0;

  constructor(capacity = firstCapacity) {
    this.#buffer = new Uint8Array(capacity);
  }

  /** Bytes so far. */
  get used(): number {
    return this.#used;
  }

  /** A view of everything that was added. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#used);
  }

  add(bytes: Uint8Array): void {
    const end = this.#used + bytes.length;
    if (end > this.#buffer.length) this.#grow(end);
    this.#buffer.set(bytes, this.#used);
    this.#used = end;
    this.sizes.push(bytes.length);
  }

  /** Keeps the place of a value that stands elsewhere. */
  skip(): void {
    this.sizes.push(0);
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.bytes);
    this.#buffer = grown;
  }
}
