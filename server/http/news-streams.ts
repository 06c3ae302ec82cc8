import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import { contentTypes } from "../../shared/wire/rest.ts";
import type { Call } from "./context.ts";

/** A line follows the one before after this long at the soonest: four a second are as smooth as a bar needs. */
const everyMs = 250;
/** What changes with time alone (a rate) is looked at this often. */
const lookMs = 1_000;
/** A reader that takes nothing for this long is gone without a word. */
const stalledMs = 120_000;
const maxStreams = 1_000;

/** What a stream tells of. */
interface Pictures<T> {
  /** The whole picture as it is now. */
  read(): Promise<T> | T;
  /** Resolves when there may be another one. */
  changed(signal: AbortSignal): Promise<void>;
  /** Whether nothing will follow. */
  isLast(picture: T): boolean;
}

/**
 * Replies that push the newest picture of something as lines of JSON (NDJSON) as it changes. Each line is the whole picture,
 * so changes in quick succession are one line, a reader that is behind misses lines, and nothing is kept for it.
 */
export class NewsStreams {
  #open = 0;

  /** Resolves when the reply is over. @throws PlatformError TOO_MANY; and what `read` throws, before the first line */
  async send<T>(call: Call, pictures: Pictures<T>): Promise<void> {
    if (this.#open >= maxStreams)
      throw new PlatformError("TOO_MANY", `${maxStreams} readers follow progress here already.`);
    this.#open++;
    try {
      await push(call, pictures);
      call.res.end();
    } catch (error) {
      if (!call.res.headersSent) throw error;
      // What it told of is gone (a job that was deleted): who reads on is told so. Nothing more can be said here.
      call.res.destroy();
    } finally {
      this.#open--;
    }
  }
}

function begin({ res }: Call): void {
  res.setTimeout(0);
  res.status(200).set({
    "Content-Type": contentTypes.ndjson,
    "Cache-Control": "no-store",
    // nginx would hold lines back until its buffer is full.
    "X-Accel-Buffering": "no",
  });
  res.flushHeaders();
}

async function push<T>(call: Call, pictures: Pictures<T>): Promise<void> {
  const { res, signal, stillAllowed } = call;
  let told = "";
  let toldAt = 0;
  let checkedAt = performance.now();
  while (!signal.aborted) {
    // Listened for before it is read, so that nothing falls in between.
    const change = pictures.changed(AbortSignal.any([signal, AbortSignal.timeout(lookMs)]));
    const picture = await pictures.read();
    if (!res.headersSent) begin(call);
    const now = performance.now();
    const line = `${JSON.stringify(picture)}\n`;
    if (pictures.isLast(picture)) return void res.write(line);
    if (res.writableNeedDrain) {
      if (now - toldAt > stalledMs) return void res.destroy();
    } else if (line !== told || now - toldAt >= limits.signOfLifeMs) {
      res.write(line === told ? "\n" : line);
      told = line;
      toldAt = now;
    }
    if (now - checkedAt >= lookMs) {
      if (!(await stillAllowed())) return void res.destroy();
      checkedAt = now;
    }
    await change;
    const early = everyMs - (performance.now() - toldAt);
    if (early > 0) await sleep(early, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
