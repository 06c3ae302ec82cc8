import type { Lease } from "../support/bare-client.ts";
import { SimulatedClient } from "./simulated-client.ts";

/** Length of a step of the calendar. */
const stepMs = 10;
/** Few enough for the accept queue of the server, which is not measured. */
const connectingAtOnce = 64;
/** Clients of one source address, below the limit that servers have by default. */
const perAddress = 900;

/** Many simulated clients whose tasks take a given time. A share of the clients leaves every second while as many join. */
export class Crowd {
  readonly members: SimulatedClient[] = [];
  /** Ms from asking for a task to its lease. */
  waits: number[] = [];
  done = 0;
  lost: string[] = [];
  readonly #url: string;
  readonly #taskMs: number;
  readonly #wants: boolean;
  readonly #calendar = new Map<number, [SimulatedClient, Lease][]>();
  #now = 0;
  #made = 0;
  #growing: { welcomed(): void; failed(error: Error): void } | undefined;
  readonly #timers: NodeJS.Timeout[] = [];

  /** @param options - `wants`: clients ask for tasks as soon as they are welcome */
  constructor(url: string, options: { taskMs: number; wants: boolean }) {
    this.#url = url;
    this.#taskMs = options.taskMs;
    this.#wants = options.wants;
    const started = performance.now();
    this.#timers.push(setInterval(() => this.#advance((performance.now() - started) / stepMs), stepMs));
  }

  /** Joins so many clients, spread over `overMs`, and waits until all are welcome. */
  async grow(count: number, overMs = 0): Promise<void> {
    const state = { waiting: count, failed: false };
    const started = performance.now();
    const all = Promise.withResolvers<void>();
    this.#growing = {
      welcomed: () => --state.waiting === 0 && all.resolve(),
      failed: (error) => {
        state.failed = true;
        all.reject(error);
      },
    };
    for (let made = 0; made < count && !state.failed; made++) {
      this.#join();
      while (made + 1 - (count - state.waiting) >= connectingAtOnce && !state.failed)
        await new Promise((resolve) => setTimeout(resolve, 1));
      const due = started + (overMs * made) / count;
      if (due > performance.now() + 2)
        await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    }
    await all.promise;
    this.#growing = undefined;
  }

  /** From now on this share of the clients leaves every second, half of it without a goodbye, and as many join. */
  churn(share: number): void {
    const everyMs = 1000 / (this.members.length * share);
    const started = performance.now();
    let left = 0;
    this.#timers.push(
      setInterval(() => {
        for (; left < (performance.now() - started) / everyMs; left++) {
          const at = Math.floor(Math.random() * this.members.length);
          const [gone] = this.members.splice(at, 1);
          gone?.leave(left % 2 === 0 ? "goodbye" : "vanish");
          this.#join();
        }
      }, stepMs),
    );
  }

  /** Starts the counts anew. */
  forget(): void {
    this.waits = [];
    this.done = 0;
  }

  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const member of this.members) member.leave("vanish");
  }

  #join(): void {
    const address = `127.0.0.${2 + (Math.floor(this.#made++ / perAddress) % 200)}`;
    const client = new SimulatedClient(this.#url, address, {
      welcomed: (joined) => {
        this.#growing?.welcomed();
        if (this.#wants) joined.want();
      },
      leased: (owner, lease, waitedMs) => {
        this.waits.push(waitedMs);
        const due = this.#now + Math.ceil(this.#taskMs / stepMs);
        const day = this.#calendar.get(due);
        if (day) day.push([owner, lease]);
        else this.#calendar.set(due, [[owner, lease]]);
      },
      lost: (client, why) => {
        this.lost.push(why);
        this.#growing?.failed(new Error(`a client could not join: ${why}`));
        const at = this.members.indexOf(client);
        if (at >= 0) this.members.splice(at, 1);
      },
    });
    this.members.push(client);
  }

  #advance(now: number): void {
    for (; this.#now < now; this.#now++) {
      const due = this.#calendar.get(this.#now);
      if (!due) continue;
      this.#calendar.delete(this.#now);
      for (const [client, lease] of due) {
        client.finish(lease, this.#taskMs);
        this.done += lease.tasks.length;
      }
    }
  }
}
