/**
 * Compares the inputs of an existing job with the inputs that are given now (SPEC.md [KEY-1]). Each result waits for its own input only,
 * because a program may make its next input from earlier results.
 */
export class SameInputs {
  /** Number of tasks that the job had already; later tasks are this program's own. */
  #known = Infinity;
  /** The server has taken, and therefore compared, all inputs below this index. */
  #taken = 0;
  #failure: { error: unknown } | undefined;
  /** Functions to call when more inputs are known to be the same, or the submission failed. */
  readonly #waiting = new Set<() => void>();

  /** Sets the number of tasks that the job has already. */
  known(count: number): void {
    this.#known = count;
    this.#wake();
  }

  /** Notes that the server has taken all inputs below this index. */
  taken(count: number): void {
    this.#taken = count;
    this.#wake();
  }

  /** Watches the submission. @returns a promise that settles as the submission does */
  async follow(submitted: Promise<void>): Promise<void> {
    try {
      await submitted;
      this.taken(Infinity);
    } catch (error) {
      this.#failure = { error };
      this.#wake();
      throw error;
    }
  }

  /** Whether the inputs of all known results were compared. */
  get areAll(): boolean {
    return this.#taken >= this.#known;
  }

  /**
   * Resolves when the inputs of the tasks from `first` up to `end` are known to be the same, as far as the job had them.
   * @throws the error of the submission; the reason of `signal`
   */
  async found(signal: AbortSignal, first: number, end = first + 1): Promise<void> {
    while (first < this.#known && this.#taken < Math.min(end, this.#known)) {
      signal.throwIfAborted();
      if (this.#failure) throw this.#failure.error;
      await this.#news(signal);
    }
  }

  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        this.#waiting.delete(settle);
        signal.removeEventListener("abort", settle);
        resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener("abort", settle);
    });
  }

  #wake(): void {
    for (const settle of this.#waiting) settle();
  }
}
