import type { ClientId, TaskIndex } from "../../shared/ids.ts";
import type { NewOutcome } from "../store/store.ts";
import type { ClientRegistry } from "./client-registry.ts";
import { RateWindow } from "./rates.ts";

/** Counts the outcomes since the server started: in all, a second, and of each client. */
export class Tally {
  readonly #registry: ClientRegistry;
  readonly #throughput = new RateWindow(300, performance.now());
  readonly #recent = new RateWindow(10, performance.now());
  #done = 0;
  #failed = 0;

  constructor(registry: ClientRegistry) {
    this.#registry = registry;
  }

  /** Tasks that ended with an output. */
  get done(): number {
    return this.#done;
  }

  /** Tasks that ended in a failure. */
  get failed(): number {
    return this.#failed;
  }

  /** Tasks a second, over the last ten seconds. */
  rate(): number {
    return this.#recent.perSecond(performance.now());
  }

  /** Tasks of each of the last 300 seconds, oldest first. */
  throughput(): number[] {
    return this.#throughput.series(performance.now());
  }

  /** Counts computed results that are not accepted yet. */
  addProvisional(kept: number): void {
    const now = performance.now();
    this.#throughput.add(kept, now);
    this.#recent.add(kept, now);
  }

  /** Counts accepted results of a client, whose computation {@link addProvisional} counted. */
  addAccepted(client: ClientId, accepted: number): void {
    this.#done += accepted;
    this.#registry.count(client, "done", accepted);
  }

  /**
   * @param accepted - indexes of the outcomes that the store took
   * @param by - the client of each outcome; empty when they came from none
   */
  add(
    outcomes: readonly Pick<NewOutcome, "index" | "state">[],
    accepted: readonly TaskIndex[],
    by: readonly ClientId[],
  ): void {
    const now = performance.now();
    this.#throughput.add(accepted.length, now);
    this.#recent.add(accepted.length, now);
    const taken = accepted.length === outcomes.length ? undefined : new Set(accepted);
    outcomes.forEach(({ index, state }, i) => {
      if (taken && !taken.has(index)) return;
      if (state === "done") this.#done += 1;
      else this.#failed += 1;
      const client = by[i];
      if (client) this.#registry.count(client, state);
    });
  }
}
