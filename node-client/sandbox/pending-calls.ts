/**
 * Calls to a process or worker that may die: its death rejects each pending call. `Promise.race` with the death would keep
 * every finished call in memory.
 */
export class PendingCalls {
  readonly #rejections = new Set<(reason: Error) => void>();
  #death: Error | undefined;

  get size(): number {
    return this.#rejections.size;
  }

  call<T>(action: () => PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#death) return reject(this.#death);
      this.#rejections.add(reject);
      const settle =
        <V>(settled: (value: V) => void) =>
        (value: V): void => {
          this.#rejections.delete(reject);
          settled(value);
        };
      action().then(settle(resolve), settle(reject));
    });
  }

  /** Rejects pending calls and every later call. */
  die(reason: Error): void {
    this.#death ??= reason;
    for (const reject of this.#rejections) reject(this.#death);
    this.#rejections.clear();
  }
}
