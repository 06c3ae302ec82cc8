import type { Clock } from "../../shared/client/ports.ts";

/** A clock whose time passes in steps of a test, each to the time of the next timer. */
export class VirtualClock implements Clock {
  #now = 1000;
  #timers: { at: number; order: number; callback: () => void }[] = [];
  #order = 0;

  now(): number {
    return this.#now;
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.length;
  }

  setTimer(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(ms, resolve));
  }

  /** Fires every timer of the next millisecond in which there is one, and lets promises settle. */
  async step(): Promise<void> {
    if (this.#timers.length > 0) {
      const next = Math.min(...this.#timers.map(({ at }) => at));
      this.#now = Math.max(this.#now, Math.ceil(next));
      const due = this.#timers.filter(({ at }) => at <= this.#now);
      this.#timers = this.#timers.filter(({ at }) => at > this.#now);
      due.sort((a, b) => a.at - b.at || a.order - b.order);
      for (const { callback } of due) callback();
    }
    await settled();
  }
}

/** Waits until every promise has settled that needs no time to pass. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
