/** A slot may begin its next task this much before the last result was seen here. */
const slackMs = 2;

/**
 * The slots of one client, estimated: clients tell how long tasks took, and not in which slot. A task goes to the slot that was idle for the
 * shortest time before it; several that are told together stand one behind the other.
 */
export class Lanes {
  /** When each slot became idle. */
  #idleSince: Float64Array;
  #now = 0;
  #lane = -1;
  /** Start of the last placed attempt in `#lane`, before which the next one ended. */
  #front = 0;

  constructor(slots: number) {
    this.#idleSince = new Float64Array(Math.max(1, slots));
  }

  get count(): number {
    return this.#idleSince.length;
  }

  resize(slots: number): void {
    if (slots === this.count || slots < 1) return;
    const idleSince = new Float64Array(slots);
    idleSince.set(this.#idleSince.subarray(0, slots));
    this.#idleSince = idleSince;
  }

  idleSince(lane: number): number {
    return this.#idleSince[lane] ?? 0;
  }

  /** The slot that is the `rank`-th when those that became idle first come first. */
  byIdleTime(rank: number): number {
    const lanes = Array.from(this.#idleSince, (since, lane) => ({ since, lane }));
    return lanes.toSorted((a, b) => a.since - b.since || a.lane - b.lane)[rank]?.lane ?? 0;
  }

  /** Begins with attempts that are told at a time; the last of them first. */
  begin(now: number): void {
    this.#now = now;
    this.#lane = -1;
  }

  /**
   * Places an attempt.
   * @returns its slot; {@link startedAt} has its start
   */
  place(tookMs: number): number {
    if (this.#lane < 0 || this.#front - tookMs < this.#idleSince[this.#lane]! - slackMs) {
      if (this.#lane >= 0) this.#idleSince[this.#lane] = this.#now;
      this.#lane = this.#bestFor(this.#now - tookMs);
      this.#front = this.#now;
    }
    const lane = this.#lane;
    this.#front = Math.max(this.#front - tookMs, Math.min(this.#front, this.#idleSince[lane]!));
    return lane;
  }

  /** Ends what {@link begin} began. */
  end(): void {
    if (this.#lane >= 0) this.#idleSince[this.#lane] = this.#now;
  }

  /** Start of the attempt that was placed last. */
  get startedAt(): number {
    return this.#front;
  }

  /** Number of slots that a bundle of so much work must have kept busy. */
  busyFor(sumMs: number, now: number): number {
    const free = now - this.#idleSince.reduce((least, since) => Math.min(least, since), Infinity);
    return Math.min(this.count, Math.max(1, Math.ceil(sumMs / Math.max(1, free) - 0.05)));
  }

  /** The slot that was idle for the shortest time at `start`, or for the longest when none was idle. */
  #bestFor(start: number): number {
    let best = -1;
    let longest = 0;
    for (let lane = 0; lane < this.#idleSince.length; lane++) {
      const since = this.#idleSince[lane]!;
      if (since < this.#idleSince[longest]!) longest = lane;
      if (since <= start + slackMs && (best < 0 || since > this.#idleSince[best]!)) best = lane;
    }
    return best < 0 ? longest : best;
  }
}
