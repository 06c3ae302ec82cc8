import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import { contentTypes } from "../../shared/wire/rest.ts";
import type { Call } from "./context.ts";
import { beginStream } from "./reply.ts";

/** A picture follows the one before after this long at the soonest: four a second are as smooth as a bar needs. */
const everyMs = 250;
/** Pictures that change with time alone (a rate) are read this often. */
const lookMs = 1_000;
/** A reader that takes nothing for this long is gone without a word. */
const stalledMs = 120_000;
const maxStreams = 1_000;

/** The whole of something at one moment. */
export interface Picture {
  /** The picture as JSON text. */
  readonly json: string;
  /** Whether no other picture will follow. */
  readonly isLast?: boolean;
}

/** The subject of a stream. */
export interface PictureSource {
  /** The picture now; undefined when there is none at present. */
  read(): Promise<Picture | undefined> | Picture | undefined;
  /** Resolves when there may be another picture, or when aborted. */
  changed(signal: AbortSignal): Promise<void>;
}

/** How pictures stand in a reply. */
interface Framing {
  readonly contentType: string;
  readonly frame: (json: string) => string;
  readonly signOfLife: string;
  /** A reader without news gets a sign of life after this long. */
  readonly signOfLifeMs: number;
}

const ndjson: Framing = {
  contentType: contentTypes.ndjson,
  frame: (json) => `${json}\n`,
  signOfLife: "\n",
  signOfLifeMs: limits.signOfLifeMs,
};

/** Server-sent events (HTML Standard, §9.2). Pages do not see comments, so the sign of life is an event. */
export const serverSentEvents: Framing = {
  contentType: "text/event-stream",
  frame: (json) => `data: ${json}\n\n`,
  signOfLife: "event: alive\ndata\n\n",
  signOfLifeMs: 2_000,
};

/**
 * Replies that push the newest picture of something as it changes. Changes in quick succession are one picture. A reader that
 * is behind misses pictures, and none is kept for it.
 */
export class PushStreams {
  #open = 0;

  /**
   * Resolves when the reply is over.
   * @throws PlatformError TOO_MANY; and errors of `read` before the first picture
   */
  async send(call: Call, source: PictureSource, framing = ndjson): Promise<void> {
    if (this.#open >= maxStreams)
      throw new PlatformError("TOO_MANY", `${maxStreams} readers follow pushed replies here already.`);
    this.#open++;
    try {
      await push(call, source, framing);
      call.res.end();
    } catch (error) {
      if (!call.res.headersSent) throw error;
      // The subject is gone (a job that was deleted), and a reply that has begun cannot say so.
      call.res.destroy();
    } finally {
      this.#open--;
    }
  }
}

async function push(call: Call, source: PictureSource, framing: Framing): Promise<void> {
  const { res, signal, stillAllowed } = call;
  let told = "";
  let toldAt = performance.now();
  let checkedAt = toldAt;
  while (!signal.aborted) {
    // The wait begins before the picture is read, so that no change falls in between.
    const change = source.changed(AbortSignal.any([signal, AbortSignal.timeout(lookMs)]));
    const picture = await source.read();
    if (!res.headersSent) beginStream(call, framing.contentType);
    const now = performance.now();
    const json = picture?.json ?? told;
    if (picture?.isLast) return void res.write(framing.frame(json));
    if (res.writableNeedDrain) {
      if (now - toldAt > stalledMs) return void res.destroy();
    } else if (json !== told || now - toldAt >= framing.signOfLifeMs) {
      res.write(json === told ? framing.signOfLife : framing.frame(json));
      told = json;
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
