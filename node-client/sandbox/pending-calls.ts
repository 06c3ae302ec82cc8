/**
 * Calls into something that may die: each is rejected when it does. Not `Promise.race` with the death, which would keep
 * every call ever made as long as the thing lives.
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

  /** Rejects what is under way and every call from now on. */
  die(reason: Error): void {
    this.#death ??= reason;
    for (const reject of this.#rejections) reject(this.#death);
    this.#rejections.clear();
  }
}
