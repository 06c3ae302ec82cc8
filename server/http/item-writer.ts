import type { Blobs } from "./context.ts";
import { largeJsonItem, type LargeResult } from "./large-output.ts";
import type { ReadingTurns } from "./reading-turns.ts";
import type { ReplyBody } from "./reply-body.ts";
import type { ResultFormat } from "./result-items.ts";

/** Size of a write: fewer, larger writes, yet a small part of a page. */
const chunkBytes = 64 * 1024;

type Framing = Pick<ResultFormat, "opening" | "separator" | "closing" | "keepAlive">;

/** Writes parts of a reply in chunks, and waits whenever the reader is behind. */
export class ItemWriter {
  readonly #format: Framing;
  readonly #body: ReplyBody;
  readonly #signal: AbortSignal;
  readonly #blobs: Blobs;
  readonly #turns: ReadingTurns;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #written = 0;

  constructor(body: ReplyBody, format: Framing, signal: AbortSignal, blobs: Blobs, turns: ReadingTurns) {
    this.#body = body;
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
    return this.#bytes >= chunkBytes ? this.#writeFull() : undefined;
  }

  keepAlive(): void {
    this.#push(this.#format.keepAlive);
  }

  async close(): Promise<void> {
    this.#push(this.#format.closing);
    await this.flush();
  }

  /** Sends what was written. Resolves when the reader has room again, or has gone. */
  async flush(): Promise<void> {
    await this.#writeChunk();
    this.#body.flush();
  }

  async #writeChunk(): Promise<void> {
    if (this.#bytes === 0 || this.#signal.aborted) return;
    const chunk = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    await this.#body.write(chunk);
  }

  /** Writes a full chunk, and lets other readers have their turn before the next chunk is made. */
  async #writeFull(): Promise<void> {
    await this.#writeChunk();
    await this.#turns.next();
  }

  /** Takes an output in pieces, at the reader's pace. */
  async #writeLarge(result: LargeResult): Promise<void> {
    for await (const piece of largeJsonItem(this.#blobs, result)) {
      this.#push(piece);
      if (this.#bytes >= chunkBytes) await this.#writeFull();
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
