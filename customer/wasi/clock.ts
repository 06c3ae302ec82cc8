/** Progress of the clock with each look at it: a program that waits for a time in a loop comes to an end. */
const tickNs = 1_000n;
const nsPerMs = 1_000_000n;

/**
 * The clock of a program. It tells the same on every machine: it starts at a fixed time, goes on by a microsecond with each look, and by
 * the whole time of a sleep, which takes none.
 */
export class Clock {
  static readonly resolutionNs = tickNs;
  readonly #startNs: bigint;
  #elapsedNs = 0n;

  constructor(startMs: number) {
    this.#startNs = BigInt(startMs) * nsPerMs;
  }

  /** Nanoseconds since 1970. */
  now(): bigint {
    return this.#startNs + this.elapsed();
  }

  /** Nanoseconds since the start of the program. */
  elapsed(): bigint {
    return (this.#elapsedNs += tickNs);
  }

  sleep(ns: bigint): void {
    if (ns > 0n) this.#elapsedNs += ns;
  }
}
