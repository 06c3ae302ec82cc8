/** A gap between two readings longer than this was no work: the machine slept, or the process was held still. */
const longestGapMs = 5000;

/**
 * Milliseconds that this process was awake. While it slept nobody could be heard, and no client, lease or task is to lose time by
 * that. To be read about once a second.
 */
export class AwakeClock {
  readonly #read: () => number;
  #last: number;
  #sleptMs = 0;

  constructor(read: () => number = () => performance.now()) {
    this.#read = read;
    this.#last = read();
  }

  now(): number {
    const now = this.#read();
    const gapMs = now - this.#last;
    if (gapMs > longestGapMs) this.#sleptMs += gapMs;
    this.#last = now;
    return now - this.#sleptMs;
  }
}
