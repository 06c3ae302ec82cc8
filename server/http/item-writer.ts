import type { Response } from "express";
import type { Blobs } from "./context.ts";
import { largeJsonItem, type LargeResult } from "./large-output.ts";
import type { ResultFormat } from "./result-items.ts";

/** Size of a write: fewer, larger writes, yet a small part of a page. */
const chunkBytes = 64 * 1024;

type Framing = Pick<ResultFormat, "opening" | "separator" | "closing" | "keepAlive">;

/** Writes parts of a reply in chunks, and waits whenever the reader is behind. */
export class ItemWriter {
  readonly #format: Framing;
  readonly #res: Response;
  readonly #signal: AbortSignal;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #written = 0;

  readonly #blobs: Blobs;

  constructor(res: Response, format: Framing, signal: AbortSignal, blobs: Blobs) {
    this.#res = res;
    this.#blobs = blobs;
    this.#format = format;
    this.#signal = signal;
  }

  open(): void {
    this.#push(this.#format.opening);
  }

  /** Takes a part. @returns a promise to wait for before the next part, if necessary */
  write(part: Uint8Array | string): Promise<void> | undefined {
    if (this.#written++ > 0) this.#push(this.#format.separator);
    this.#push(part);
    return this.#bytes >= chunkBytes ? this.flush() : undefined;
  }

  /** Takes a part in pieces, at the reader's pace. */
  async writeLarge(result: LargeResult): Promise<void> {
    if (this.#written++ > 0) this.#push(this.#format.separator);
    for await (const piece of largeJsonItem(this.#blobs, result)) {
      this.#push(piece);
      if (this.#bytes >= chunkBytes) await this.flush();
      if (this.#signal.aborted) return;
    }
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

  #push(part: Uint8Array | string): void {
    if (part.length === 0) return;
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }
}

/** Whether an output is to be written in pieces. */
export function isLarge(part: Uint8Array | string | LargeResult): part is LargeResult {
  return typeof part === "object" && "closing" in part;
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
