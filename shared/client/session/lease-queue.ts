/**
 * First in, first out, but entries that run again come first. An entry that is cancelled or released stays in the queue, which
 * skips entries that are not live, so every operation is O(1) on average.
 */
export class LeaseQueue<T> {
  readonly #isLive: (entry: T) => boolean;
  #again: T[] = [];
  #entries: T[] = [];
  #head = 0;

  constructor(isLive: (entry: T) => boolean) {
    this.#isLive = isLive;
  }

  /** Number of entries, those that are not live included. */
  get length(): number {
    return this.#again.length + this.#entries.length;
  }

  push(entry: T): void {
    this.#entries.push(entry);
  }

  /** Adds an entry before everything that was pushed. */
  pushAgain(entry: T): void {
    this.#again.push(entry);
  }

  peek(): T | undefined {
    while (this.#again.length > 0) {
      const entry = this.#again[0] as T;
      if (this.#isLive(entry)) return entry;
      this.#again.shift();
    }
    while (this.#head < this.#entries.length) {
      const entry = this.#entries[this.#head] as T;
      if (this.#isLive(entry)) return entry;
      this.#head++;
    }
    this.#entries = [];
    this.#head = 0;
    return undefined;
  }

  /** Takes the entries that `peek` shows. */
  take(): T | undefined {
    const entry = this.peek();
    if (entry === undefined) return undefined;
    if (this.#again.length > 0) this.#again.shift();
    else if (++this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Takes the newest entry. */
  takeLast(): T | undefined {
    while (this.#entries.length > this.#head) {
      const entry = this.#entries.pop() as T;
      if (this.#isLive(entry)) return entry;
    }
    while (this.#again.length > 0) {
      const entry = this.#again.pop() as T;
      if (this.#isLive(entry)) return entry;
    }
    return undefined;
  }

  /** Drops all entries. */
  clear(): void {
    this.#again = [];
    this.#entries = [];
    this.#head = 0;
  }

  /** Live entries, in order. */
  list(): T[] {
    return [...this.#again, ...this.#entries.slice(this.#head)].filter(this.#isLive);
  }
}
