/** Counts events in one-second buckets over a sliding window. */
export class RateWindow {
  readonly #seconds: number;
  readonly #counts: number[];
  #newest: number;
  readonly #startedAt: number;

  constructor(seconds: number, nowMs: number) {
    this.#seconds = seconds;
    this.#counts = Array.from({ length: seconds + 1 }, () => 0);
    this.#newest = Math.floor(nowMs / 1000);
    this.#startedAt = nowMs;
  }

  add(count: number, nowMs: number): void {
    this.#advance(nowMs);
    const at = this.#newest % this.#counts.length;
    this.#counts[at] = (this.#counts[at] ?? 0) + count;
  }

  /** Events a second over the window, or over the time since the start when that is shorter. */
  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    let sum = 0;
    for (const count of this.#counts) sum += count;
    const seconds = Math.min(this.#seconds, Math.max(1, (nowMs - this.#startedAt) / 1000));
    return sum / seconds;
  }

  /** Counts of each whole second of the window, oldest first, without the running second. */
  series(nowMs: number): number[] {
    this.#advance(nowMs);
    const { length } = this.#counts;
    return Array.from(
      { length: this.#seconds },
      (_, i) => this.#counts[(this.#newest + 1 + i) % length] ?? 0,
    );
  }

  /** Counts of each whole second since the start, within the window, oldest first. */
  measured(nowMs: number): number[] {
    const seconds = Math.min(this.#seconds, Math.max(0, this.#newest - Math.floor(this.#startedAt / 1000)));
    return seconds === 0 ? [] : this.series(nowMs).slice(-seconds);
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const { length } = this.#counts;
    const from = Math.max(this.#newest + 1, second - length + 1);
    for (let s = from; s <= second; s++) this.#counts[s % length] = 0;
    this.#newest = Math.max(this.#newest, second);
  }
}
