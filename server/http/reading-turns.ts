import type { PageSize } from "../page-size.ts";

/** A page of a reader is between these sizes, and all pages together are about these. */
const pagesBytes = 16 * 1024 ** 2;
const [leastBytes, mostBytes] = [64 * 1024, 1024 ** 2];
const pagesItems = 40_000;
const [leastItems, mostItems] = [200, 5_000];

/**
 * Readers of results take turns: one writes a piece of its reply in a round of the event loop, and everything else has its part of the
 * round. A socket that takes all at once gives none: 200 readers of 20,000 results each, on the server's machine, kept a health check waiting until the last
 * of them had finished (11 to 70 s); with turns that is 30 to 60 ms.
 */
export class ReadingTurns {
  #readers = 0;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;

  /** Counts a reader, until the returned function is called. */
  join(): () => void {
    this.#readers++;
    return () => void this.#readers--;
  }

  /** The share of a reader in the memory that pages of results may take together. */
  get share(): PageSize {
    const [bytes, items] = [pagesBytes / this.#readers, pagesItems / this.#readers];
    return {
      bytes: Math.floor(Math.min(Math.max(bytes, leastBytes), mostBytes)),
      items: Math.floor(Math.min(Math.max(items, leastItems), mostItems)),
    };
  }

  /** Resolves when it is the caller's turn, in another round of the event loop: also a single reader lets others come. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
