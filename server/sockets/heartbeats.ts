/** A period is divided into at most so many parts, none shorter than `shortestMs`. */
const parts = 64;
const shortestMs = 20;

/**
 * Gives each connection its heartbeat once a period, spread over the period: 9,000 heartbeats at once would stop the
 * event loop for 470 ms.
 */
export class Heartbeats<Connection> {
  readonly #connections: ReadonlySet<Connection>;
  readonly #beat: (connection: Connection) => void;
  readonly #parts: number;
  readonly #timer: NodeJS.Timeout;
  /** Passes through all connections, again and again; connections that join meanwhile come last. */
  #round: Iterator<Connection>;
  /** Heartbeats that are due, fractions included. */
  #due = 0;

  /** @param connections - the set that its owner keeps up to date */
  constructor(
    connections: ReadonlySet<Connection>,
    periodMs: number,
    beat: (connection: Connection) => void,
  ) {
    this.#connections = connections;
    this.#beat = beat;
    this.#parts = Math.max(1, Math.min(parts, Math.floor(periodMs / shortestMs)));
    this.#round = connections.values();
    this.#timer = setInterval(() => this.#next(), periodMs / this.#parts);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #next(): void {
    this.#due += this.#connections.size / this.#parts;
    for (; this.#due >= 1 && this.#connections.size > 0; this.#due -= 1) {
      let next = this.#round.next();
      if (next.done) {
        this.#round = this.#connections.values();
        next = this.#round.next();
      }
      if (!next.done) this.#beat(next.value);
    }
  }
}
