import type { Capacity } from "../../shared/wire/rest/capacity.ts";

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
    const { browser, node } = this.#times;
    return capacityOf(
      {
        browser: { ...slots.browser, meanTaskMs: browser.ms ?? null },
        node: { ...slots.node, meanTaskMs: node.ms ?? null },
      },
      rate,
    );
  }
}

/** The capacity of several servers together. */
export function joinCapacities(all: readonly Capacity[]): Capacity {
  const join = (kind: Kind): Capacity["kinds"][Kind] => joinKinds(all.map(({ kinds }) => kinds[kind]));
  return capacityOf({ browser: join("browser"), node: join("node") }, sum(all.map(({ rate }) => rate)));
}

function joinKinds(all: readonly Capacity["kinds"][Kind][]): Capacity["kinds"][Kind] {
  const total = (key: keyof Slots): number => sum(all.map((each) => each[key]));
  const measured = all.flatMap(({ slots, meanTaskMs: ms }) => (ms === null ? [] : [{ slots, ms }]));
  // Means of servers whose clients left count as those of one slot.
  const weights = measured.map(({ slots }) => Math.max(1, slots));
  const perMs = sum(measured.map(({ ms }, k) => weights[k]! / Math.max(shortestMs, ms)));
  return {
    clients: total("clients"),
    slots: total("slots"),
    busy: total("busy"),
    // The harmonic mean: so many slots that are that fast each do as much as all of them.
    meanTaskMs: measured.length === 0 ? null : sum(weights) / perMs,
  };
}

function capacityOf(kinds: Capacity["kinds"], rate: number): Capacity {
  const { browser, node } = kinds;
  return {
    clients: browser.clients + node.clients,
    slots: browser.slots + node.slots,
    busy: browser.busy + node.busy,
    rate,
    tasksPerSecond: expected(kinds),
    kinds,
  };
}

function expected({ browser, node }: Capacity["kinds"]): number | null {
  // A kind of client without results is assumed to be as fast as the other kind.
  const [browserMs, nodeMs] = [browser.meanTaskMs ?? node.meanTaskMs, node.meanTaskMs ?? browser.meanTaskMs];
  if (browserMs === null || nodeMs === null) return null;
  const perSecond = (count: number, ms: number) => (count * 1000) / Math.max(shortestMs, ms);
  return perSecond(browser.slots, browserMs) + perSecond(node.slots, nodeMs);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
