/**
 * Which inputs of a job that was there before are those given now (SPEC.md [KEY-1]). Each result waits for its own input alone: a
 * program may make its next input of the results before it.
 */
export class SameInputs {
  /** Tasks that the job had already; those above are this program's own. */
  #known = Infinity;
  /** Inputs below this index were taken by the server, which compares. */
  #taken = 0;
  #failure: { error: unknown } | undefined;
  /** Called when there is something new. */
  readonly #waiting = new Set<() => void>();

  /** The job has so many tasks already. */
  known(count: number): void {
    this.#known = count;
    this.#wake();
  }

  /** The server has taken all inputs below this index. */
  taken(count: number): void {
    this.#taken = count;
    this.#wake();
  }

  /** Looks on at the submission, and settles as it does. */
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

  /** Whether no result has to wait any more. */
  get areAll(): boolean {
    return this.#taken >= this.#known;
  }

  /**
   * Resolves when the input of this task is known to be the same.
   * @throws the error of the submission; the reason of `signal`
   */
  async found(index: number, signal: AbortSignal): Promise<void> {
    while (index >= this.#taken && index < this.#known) {
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
