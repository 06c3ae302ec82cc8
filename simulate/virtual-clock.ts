/** Callbacks on a clock of its own, which jumps from one to the next: a binary heap by time. */
export class VirtualClock {
  now = 0;
  readonly #heap: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  /** Runs `run` in `ms` milliseconds of virtual time. */
  after(ms: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { at: this.now + ms, order: this.#order++, run };
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (comesBefore(heap[parent]!, entry)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Runs the next callback. @returns false when there is none */
  step(): boolean {
    const next = this.#heap[0];
    if (!next) return false;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) this.#sink(last);
    this.now = next.at;
    next.run();
    return true;
  }

  #sink(entry: { at: number; order: number; run: () => void }): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && comesBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (comesBefore(entry, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }
}

function comesBefore(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
