import type { Response } from "express";
import { limits } from "../../../shared/limits.ts";
import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import { contentTypes, hasEnded, type JobInfo } from "../../../shared/wire/rest.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { largeJsonItem, type LargeResult } from "../large-output.ts";
import { jobOf } from "../ownership.ts";
import { beginStream, flag, query } from "../reply.ts";
import {
  jsonResults,
  msgpackResults,
  ndjsonResults,
  packedResults,
  type ResultFormat,
} from "../result-items.ts";

/** Size of a write: fewer, larger writes, yet a small part of a page. */
const chunkBytes = 64 * 1024;

/** Results of a job, page by page in order of completion, at the reader's pace. */
export function resultRoutes({ platform, blobs, log }: HttpParts): Routes<"GET /api/jobs/{id}/results"> {
  return {
    "GET /api/jobs/{id}/results": async (call) => {
      const { id } = await jobOf(call, platform);
      const after = afterOf(call);
      const follow = flag(call, "follow");
      const format = formatOf(call, follow);
      const { res } = call;
      res.setHeader("Vary", "Accept");
      beginStream(call, format.contentType);
      const writer = new ResultWriter(res, format, call.signal, blobs);
      try {
        await stream(call, platform, id, after, follow, writer);
      } catch (error) {
        if (!call.signal.aborted) throw error;
        log.debug({ job: id }, "reader of results went away");
      }
      if (!res.destroyed) res.end();
    },
  };
}

async function stream(
  { signal, stillAllowed }: Call,
  platform: HttpParts["platform"],
  id: JobId,
  start: number,
  follow: boolean,
  writer: ResultWriter,
): Promise<void> {
  let after = start;
  let isNews = true;
  /** The job after its end: a later empty page means that no results follow. */
  let ended: JobInfo | undefined;
  writer.open();
  while (!signal.aborted) {
    if (!(await stillAllowed()))
      throw new PlatformError("UNAUTHENTICATED", "The token was revoked or has expired.");
    const page = await platform.results(id, after);
    if (page.length > 0) {
      for (const part of writer.format.parts(page)) {
        const full = isLarge(part) ? writer.writeLarge(part) : writer.write(part);
        if (full) await full;
      }
      // Results are sent before other work, because a customer may be waiting for one of them.
      await writer.flush();
      after = page.at(-1)!.seq;
      // The job may have been requeued.
      ended = undefined;
      if (!follow) continue;
    } else {
      if (ended) {
        await writer.write(writer.format.end(ended));
        break;
      }
      const job = await platform.job(id);
      if (hasEnded(job.state)) {
        ended = job;
        continue;
      }
      if (!follow) break;
      if (!isNews) writer.keepAlive();
      await writer.flush();
    }
    isNews = false;
    // Resolves at once when there are more results, or the job has ended.
    await platform.resultsChanged(id, after, signal, limits.signOfLifeMs);
  }
  await writer.close();
}

/** Writes parts in chunks, and waits whenever the reader is behind. */
class ResultWriter {
  readonly format: ResultFormat;
  readonly #res: Response;
  readonly #signal: AbortSignal;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #written = 0;

  readonly #blobs: HttpParts["blobs"];

  constructor(res: Response, format: ResultFormat, signal: AbortSignal, blobs: HttpParts["blobs"]) {
    this.#res = res;
    this.#blobs = blobs;
    this.format = format;
    this.#signal = signal;
  }

  open(): void {
    this.#push(this.format.opening);
  }

  /** Takes a part. @returns a promise to wait for before the next part, if necessary */
  write(part: Uint8Array | string): Promise<void> | undefined {
    if (this.#written++ > 0) this.#push(this.format.separator);
    this.#push(part);
    return this.#bytes >= chunkBytes ? this.flush() : undefined;
  }

  /** Takes a part in pieces, at the reader's pace. */
  async writeLarge(result: LargeResult): Promise<void> {
    if (this.#written++ > 0) this.#push(this.format.separator);
    for await (const piece of largeJsonItem(this.#blobs, result)) {
      this.#push(piece);
      if (this.#bytes >= chunkBytes) await this.flush();
      if (this.#signal.aborted) return;
    }
  }

  keepAlive(): void {
    this.#push(this.format.keepAlive);
  }

  async close(): Promise<void> {
    this.#push(this.format.closing);
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

function isLarge(part: Uint8Array | string | LargeResult): part is LargeResult {
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

function afterOf(call: Call): number {
  const text = query(call, "after") ?? "0";
  const after = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(after)) return after;
  throw new PlatformError(
    "BAD_REQUEST",
    `?after=${text} is no sequence number; expected a whole number from 0.`,
  );
}

function formatOf({ req }: Call, follow: boolean): ResultFormat {
  const { ndjson, msgpack, json, resultPack } = contentTypes;
  const best = req.accepts([ndjson, msgpack, json, resultPack]);
  if (best === resultPack) return packedResults;
  if (best === msgpack) return msgpackResults;
  if (best === ndjson) return ndjsonResults;
  if (best === json && !follow) return jsonResults;
  throw new PlatformError(
    "UNSUPPORTED_TYPE",
    `Results cannot be sent as ${req.headers.accept ?? "nothing"}${follow ? " while following" : ""}; expected Accept: ${ndjson}, ${msgpack}${follow ? "" : `, ${json}`} or ${resultPack}.`,
  );
}
