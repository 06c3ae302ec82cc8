/** Tells whoever waits that something may have changed. With nobody there it costs a look into a map. */
export class News<Key> {
  readonly #waiters = new Map<Key, Set<() => void>>();

  tell(about: Key): void {
    for (const wake of this.#waiters.get(about) ?? []) wake();
  }

  /** Resolves at the next news, or when aborted. */
  next(about: Key, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(about) ?? new Set();
      this.#waiters.set(about, waiters);
      const wake = (): void => {
        waiters.delete(wake);
        if (waiters.size === 0 && this.#waiters.get(about) === waiters) this.#waiters.delete(about);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      waiters.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
