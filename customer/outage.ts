import type { PlatformError } from "../shared/errors.ts";
import type { OutageListener } from "./retry.ts";

/** A short restart of the server is nobody's business; after this long the person is told. */
const silenceMs = 10_000;

/** Watches whether the server answers, over all requests of one connection, and says so once an outage. */
export class OutageWatch implements OutageListener {
  readonly #where: string;
  readonly #log: (line: string) => void;
  #since: number | undefined;
  #told = false;
  #over = new AbortController();

  constructor(where: string, log: (line: string) => void) {
    this.#where = where;
    this.#log = log;
  }

  /** Milliseconds that nothing has succeeded for, once they are worth telling; else 0. */
  get ms(): number {
    const ms = this.#since === undefined ? 0 : performance.now() - this.#since;
    return ms >= silenceMs ? ms : 0;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  failed(error: PlatformError): void {
    this.#since ??= performance.now();
    if (this.#told || this.ms === 0) return;
    this.#told = true;
    this.#log(
      `manyhands: no success at ${this.#where} for 10 s, still trying: ${error.message} ${error.remedy}`,
    );
  }

  succeeded(): void {
    if (this.#told)
      this.#log(
        `manyhands: ${this.#where} answers again after ${Math.round((performance.now() - (this.#since ?? 0)) / 1000)} s.`,
      );
    if (this.#since !== undefined) {
      this.#over.abort();
      this.#over = new AbortController();
    }
    this.#since = undefined;
    this.#told = false;
  }
}
