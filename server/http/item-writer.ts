import type { Response } from "express";
import type { Blobs } from "./context.ts";
import { largeJsonItem, type LargeResult } from "./large-output.ts";
import type { ReadingTurns } from "./reading-turns.ts";
import type { ResultFormat } from "./result-items.ts";

/** Size of a write: fewer, larger writes, yet a small part of a page. */
const chunkBytes = 64 * 1024;

type Framing = Pick<ResultFormat, "opening" | "separator" | "closing" | "keepAlive">;

/** Writes parts of a reply in chunks, and waits whenever the reader is behind. */
export class ItemWriter {
  readonly #format: Framing;
  readonly #res: Response;
  readonly #signal: AbortSignal;
  readonly #blobs: Blobs;
  readonly #turns: ReadingTurns;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #written = 0;

  constructor(res: Response, format: Framing, signal: AbortSignal, blobs: Blobs, turns: ReadingTurns) {
    this.#res = res;
    this.#format = format;
    this.#signal = signal;
    this.#blobs = blobs;
    this.#turns = turns;
  }

  open(): void {
    this.#push(this.#format.opening);
  }

  /** Takes a part. @returns a promise to wait for before the next part, if necessary */
  write(part: Uint8Array | string | LargeResult): Promise<void> | undefined {
    if (this.#written++ > 0) this.#push(this.#format.separator);
    if (typeof part === "object" && "closing" in part) return this.#writeLarge(part);
    this.#push(part);
    return this.#bytes >= chunkBytes ? this.#writeChunk() : undefined;
  }

  keepAlive(): void {
    this.#push(this.#format.keepAlive);
  }

  async close(): Promise<void> {
    this.#push(this.#format.closing);
    await this.flush();
  }

  /** Resolves when the reader has room again, or has gone. */
  async flush(): Promise<void> {
    if (this.#bytes === 0 || this.#signal.aborted) return;
    const chunk = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    if (!this.#res.write(chunk)) await drained(this.#res, this.#signal);
  }

  /** Writes the chunk, and lets other readers have their turn before the next chunk is made. */
  async #writeChunk(): Promise<void> {
    await this.flush();
    await this.#turns.next();
  }

  /** Takes an output in pieces, at the reader's pace. */
  async #writeLarge(result: LargeResult): Promise<void> {
    for await (const piece of largeJsonItem(this.#blobs, result)) {
      this.#push(piece);
      if (this.#bytes >= chunkBytes) await this.#writeChunk();
      if (this.#signal.aborted) return;
    }
  }

  #push(part: Uint8Array | string): void {
    if (part.length === 0) return;
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }
}

function drained(res: Response, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      res.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    res.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });
}
