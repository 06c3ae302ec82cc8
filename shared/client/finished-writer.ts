import type { FinishedTask } from "./ports.ts";
import type { FinishedExtra, FinishedPack } from "./sandbox-packs.ts";

/** Room to begin with: what 20 ms of tiny tasks fill. */
const leastBytes = 16 * 1024;

/**
 * Gathers finished tasks into one pack. Outputs are copied one behind the other into a buffer that grows: a buffer of its
 * own for each of them costs 1.5 µs with its collection, more than to encode it.
 */
export class FinishedWriter {
  #indexes: number[] = [];
  #elapsedMs: number[] = [];
  #sizes: number[] = [];
  #extras: FinishedExtra[] = [];
  #buffer = new Uint8Array(leastBytes);
  #used = 0;

  /** Tasks in the pack. */
  get count(): number {
    return this.#indexes.length;
  }

  /** Bytes of their outputs. */
  get bytes(): number {
    return this.#used;
  }

  add(index: number, elapsedMs: number, outcome: FinishedTask["outcome"]): void {
    const at = this.#indexes.length;
    this.#indexes.push(index);
    this.#elapsedMs.push(elapsedMs);
    if (outcome.state === "failed") {
      this.#extras.push({ at, failure: outcome.failure });
      this.#sizes.push(0);
      return;
    }
    if (outcome.refs.length > 0) this.#extras.push({ at, refs: outcome.refs });
    this.#append(outcome.output);
  }

  /** The pack; a new one begins. */
  take(): FinishedPack {
    const pack = {
      indexes: this.#indexes,
      elapsedMs: this.#elapsedMs,
      sizes: this.#sizes,
      // Of exactly this size: a clone takes the whole buffer behind a view along.
      bytes: this.#buffer.slice(0, this.#used),
      ...(this.#extras.length > 0 && { extras: this.#extras }),
    };
    this.#indexes = [];
    this.#elapsedMs = [];
    this.#sizes = [];
    this.#extras = [];
    this.#used = 0;
    // One large output must not keep its room for ever.
    if (this.#buffer.length > 64 * leastBytes) this.#buffer = new Uint8Array(leastBytes);
    return pack;
  }

  #append(output: Uint8Array): void {
    this.#sizes.push(output.length);
    const end = this.#used + output.length;
    if (end > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#used));
      this.#buffer = larger;
    }
    this.#buffer.set(output, this.#used);
    this.#used = end;
  }
}
