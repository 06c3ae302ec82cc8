/** Pieces in which content is fetched: four chunks of a client's cache. */
const pieceBytes = 256 * 1024;
/** Most bytes that are fetched ahead of a program that reads on and on. */
const mostAhead = 8 * 1024 * 1024;

/** Reads bytes `start` to `end` of some content. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

/** Content of a file, whose pieces are fetched when they are read. */
export class LazyContent {
  /** The whole content; what was not fetched is 0. The system gives memory to pieces that are written. */
  readonly bytes: Uint8Array;
  readonly #read: ReadRange;
  readonly #isThere: Uint8Array;
  /** The end of what was fetched last, and how much a read that goes on there fetches. */
  #next = 0;
  #ahead = pieceBytes;

  constructor(size: number, read: ReadRange) {
    this.bytes = new Uint8Array(size);
    this.#read = read;
    this.#isThere = new Uint8Array(Math.ceil(size / pieceBytes));
  }

  /** @throws Missing when a part of them was not fetched */
  need(start: number, end: number): void {
    const missing = this.#firstMissing(start, end);
    if (missing < end) throw new Missing(() => this.#fetch(missing, end));
  }

  /** The first piece between two positions that is not there; `end` or more when all are. */
  #firstMissing(start: number, end: number): number {
    let at = Math.floor(start / pieceBytes);
    while (at * pieceBytes < end && this.#isThere[at] === 1) at++;
    return at * pieceBytes;
  }

  async #fetch(start: number, end: number): Promise<void> {
    this.#ahead = start === this.#next ? Math.min(2 * this.#ahead, mostAhead) : pieceBytes;
    const wanted = Math.max(end, start + this.#ahead);
    const until = Math.min(this.bytes.length, Math.ceil(wanted / pieceBytes) * pieceBytes);
    for (let at = start; at < until; at += mostAhead) {
      const stop = Math.min(until, at + mostAhead);
      this.bytes.set(await this.#read(at, stop), at);
      this.#isThere.fill(1, at / pieceBytes, Math.ceil(stop / pieceBytes));
    }
    this.#next = until;
  }
}

/** Ends a call that needs bytes which are not there: it is called again when they are. */
export class Missing extends Error {
  readonly fetch: () => Promise<void>;

  constructor(fetch: () => Promise<void>) {
    super("bytes of a file are not there");
    this.fetch = fetch;
  }
}

/** Bytes could not be fetched. */
export class FetchFailure extends Error {}
