/** Wakes the waiters of a subject that may have changed. A subject without waiters costs a look into a map. */
export class News<Key> {
  readonly #waiters = new Map<Key, Set<() => void>>();

  tell(about: Key): void {
    const waiters = this.#waiters.get(about);
    if (waiters) for (const wake of waiters) wake();
  }

  /** The subjects with waiters. */
  get awaited(): Iterable<Key> {
    return this.#waiters.keys();
  }

  /** Whether a waiter is there. */
  isAwaited(about: Key): boolean {
    return this.#waiters.has(about);
  }

  /** Resolves at the next news, when aborted, or after `atMostMs`, which is unbounded by default. */
  next(about: Key, signal: AbortSignal, atMostMs?: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(about) ?? new Set();
      this.#waiters.set(about, waiters);
      const wake = (): void => {
        waiters.delete(wake);
        if (waiters.size === 0 && this.#waiters.get(about) === waiters) this.#waiters.delete(about);
        signal.removeEventListener("abort", wake);
        clearTimeout(timer);
        resolve();
      };
      const timer = atMostMs === undefined ? undefined : setTimeout(wake, atMostMs);
      waiters.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
