import type { PlatformError } from "../shared/errors.ts";
import type { OutageListener } from "./retry.ts";

/** An outage of this length is reported; a short restart of the server is not. */
const silenceMs = 10_000;

/** Watches all requests of one connection, and reports an outage of the server once. */
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

  /** Milliseconds since the last success, when long enough to be reported; else 0. */
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
