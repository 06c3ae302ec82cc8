const windowMs = 60_000;

/** Measures which share of the processor's lent time the slots computed, over the last minute. */
export class Meter {
  readonly #samples: { readonly at: number; readonly busyMs: number; readonly slots: number }[] = [];

  /** Notes the time for which slots have computed so far. */
  note(at: number, busyMs: number, slots: number): void {
    // A client that was started anew counts from 0 again.
    if (busyMs < (this.#samples.at(-1)?.busyMs ?? 0)) this.#samples.length = 0;
    this.#samples.push({ at, busyMs, slots });
    while (this.#samples.length > 2 && this.#samples[1]!.at <= at - windowMs) this.#samples.shift();
  }

  /** Share of the slots' time, 0 … 1; undefined before there is anything to measure. */
  get share(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.at - first.at < 1_000) return undefined;
    let slotMs = 0;
    for (let i = 1; i < this.#samples.length; i++)
      slotMs += (this.#samples[i]!.at - this.#samples[i - 1]!.at) * this.#samples[i]!.slots;
    return slotMs > 0 ? Math.min(1, (last.busyMs - first.busyMs) / slotMs) : undefined;
  }
}
