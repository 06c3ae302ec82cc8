/** The newest state of a piece of work, for those that follow it. */
export class Followed<State> {
  #state: State;
  #changed = Promise.withResolvers<void>();

  constructor(state: State) {
    this.#state = state;
  }

  get state(): State {
    return this.#state;
  }

  set(state: State): void {
    this.#state = state;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves when the state may have changed, or when aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const aborted = Promise.withResolvers<void>();
    const stop = (): void => aborted.resolve();
    signal.addEventListener("abort", stop, { once: true });
    await Promise.race([this.#changed.promise, aborted.promise]);
    signal.removeEventListener("abort", stop);
  }
}
