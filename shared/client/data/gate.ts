/** Lets a few transfers run at a time; the others wait in their order, urgent ones in front. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  /** The first waiting ones, which are urgent. */
  #urgent = 0;

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async run<T>(work: () => Promise<T>, isUrgent = false): Promise<T> {
    if (this.#free > 0) this.#free--;
    else
      await new Promise<void>((resolve) => {
        if (isUrgent) this.#waiting.splice(this.#urgent++, 0, resolve);
        else this.#waiting.push(resolve);
      });
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (!next) this.#free++;
      else {
        if (this.#urgent > 0) this.#urgent--;
        next();
      }
    }
  }
}
