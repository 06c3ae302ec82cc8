import type { Capacity } from "../../shared/wire/rest.ts";

type Kind = keyof Capacity["kinds"];
type Slots = Omit<Capacity["kinds"][Kind], "meanTaskMs">;

/** Half-life of a measurement's weight while new ones come; without new ones the last mean stands. */
const halfLifeMs = 60_000;

/** Mean run time of the tasks done lately. */
class MeanTime {
  #sumMs = 0;
  #count = 0;
  #at = 0;

  add(elapsedMs: number, now: number): void {
    const weight = 0.5 ** ((now - this.#at) / halfLifeMs);
    this.#sumMs = this.#sumMs * weight + elapsedMs;
    this.#count = this.#count * weight + 1;
    this.#at = now;
  }

  get ms(): number | undefined {
    return this.#count === 0 ? undefined : this.#sumMs / this.#count;
  }
}

/** Shorter task times say more about the clock than about the task. */
const shortestMs = 0.01;

/** Measures how fast each kind of client computes. */
export class TaskTimes {
  readonly #times: Record<Kind, MeanTime> = { browser: new MeanTime(), node: new MeanTime() };

  add(kind: Kind, elapsedMs: number, now: number): void {
    this.#times[kind].add(elapsedMs, now);
  }

  /**
   * The expected throughput of clients with these slots.
   * @param rate - measured tasks a second
   */
  capacity(slots: Record<Kind, Slots>, rate: number): Capacity {
    const { browser, node } = slots;
    return {
      clients: browser.clients + node.clients,
      slots: browser.slots + node.slots,
      busy: browser.busy + node.busy,
      rate,
      tasksPerSecond: this.#expected(slots),
      kinds: {
        browser: { ...browser, meanTaskMs: this.#times.browser.ms ?? null },
        node: { ...node, meanTaskMs: this.#times.node.ms ?? null },
      },
    };
  }

  #expected(slots: Record<Kind, Slots>): number | null {
    const { browser, node } = this.#times;
    // A kind of client without results is assumed to be as fast as the other kind.
    const [browserMs, nodeMs] = [browser.ms ?? node.ms, node.ms ?? browser.ms];
    if (browserMs === undefined || nodeMs === undefined) return null;
    const perSecond = (count: number, ms: number) => (count * 1000) / Math.max(shortestMs, ms);
    return perSecond(slots.browser.slots, browserMs) + perSecond(slots.node.slots, nodeMs);
  }
}
