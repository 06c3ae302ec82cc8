import { writev } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";

const writePieces = promisify(writev);

/** Bytes in one write; an upload holds two batches at most. Uploads of 1 MiB reach 311 MiB/s with 512 KiB. */
const batchBytes = 512 * 1024;
/** Most pieces in one write. */
const batchPieces = 64;

/** Writes a new file in a few large writes, each collected while the one before is written. */
export class BatchedWriter {
  readonly #opening: Promise<FileHandle>;
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Settles with the last write that began. */
  #writing: Promise<void>;

  /** @param opening - the file; pieces are taken before it is open */
  constructor(opening: Promise<FileHandle>) {
    this.#opening = opening;
    this.#writing = opening.then(() => {});
    this.#writing.catch(() => {});
  }

  /**
   * Takes a piece, which must not change any more, once the piece before was taken. Most calls return nothing to
   * wait for.
   */
  write(piece: Uint8Array): Promise<void> | undefined {
    this.#pieces.push(piece);
    this.#length += piece.length;
    return this.#length >= batchBytes || this.#pieces.length >= batchPieces ? this.#flush() : undefined;
  }

  /** Resolves when all pieces are written, on disk unless `isLasting` is false, and the file is closed. */
  async end(isLasting = true): Promise<void> {
    if (this.#length > 0) await this.#flush();
    await this.#writing;
    const file = await this.#opening;
    if (isLasting) await file.sync();
    await file.close();
  }

  /** Resolves when no write is under way and the file is closed; a failure is of no interest any more. */
  async abandon(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.#opening.then((file) => file.close()).catch(() => {});
  }

  /** Begins to write the collected pieces once the write before has ended. */
  async #flush(): Promise<void> {
    await this.#writing;
    const pieces = this.#pieces;
    const length = this.#length;
    if (length === 0) return;
    this.#pieces = [];
    this.#length = 0;
    this.#writing = this.#opening.then(({ fd }) => writeAll(fd, pieces, length));
    // The next write, end or abandon reports the failure.
    this.#writing.catch(() => {});
  }
}

async function writeAll(file: number, pieces: readonly Uint8Array[], length: number): Promise<void> {
  const { bytesWritten } = await writePieces(file, pieces);
  if (bytesWritten === length) return;
  // A disk that gets full takes a part; the next write is refused with the reason.
  await writeAll(file, behind(pieces, bytesWritten), length - bytesWritten);
}

/** The pieces behind the first `bytes` bytes. */
function behind(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  for (const piece of pieces) {
    if (bytes < piece.length) rest.push(piece.subarray(bytes));
    bytes = Math.max(0, bytes - piece.length);
  }
  return rest;
}
