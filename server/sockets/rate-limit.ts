/** A token bucket: `perSecond` on average, bursts of ten seconds' worth. */
export class TokenBucket {
  readonly #perSecond: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond * 10;
    this.#at = now;
  }

  /** Takes `count` tokens; false when there are too few. */
  take(count: number, now: number): boolean {
    this.#tokens = Math.min(this.#perSecond * 10, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }
}
