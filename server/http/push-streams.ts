import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import { contentTypes } from "../../shared/wire/rest/content-types.ts";
import type { Call } from "./context.ts";
import { beginStream } from "./reply.ts";

/** Shortest time between two pictures: four a second are smooth enough for a progress bar. */
const everyMs = 250;
/** Period in which a picture is read that changes with time alone (a rate). */
const lookMs = 1_000;
/** A reader that takes no byte for this long has vanished. */
const stalledMs = 120_000;
const maxStreams = 1_000;

/** The whole state of a stream's subject at one moment. */
export interface Picture {
  /** The picture as JSON text. */
  readonly json: string;
  /** Whether no picture follows. */
  readonly isLast?: boolean;
}

/** Source of a stream's pictures. */
export interface PictureSource {
  /** The current picture; undefined when there is none at present. */
  read(): Promise<Picture | undefined> | Picture | undefined;
  /** Resolves when the picture may have changed, or when aborted. */
  changed(signal: AbortSignal): Promise<void>;
}

/** The form of pictures in a reply. */
interface Framing {
  readonly contentType: string;
  readonly frame: (json: string) => string;
  readonly signOfLife: string;
  /** Time without a change after which a reader gets a sign of life. */
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
 * Replies that push the newest picture when it changes. Each picture is complete: quick changes share a picture, a reader that is
 * behind misses pictures, and no picture is kept for it.
 */
export class PushStreams {
  #open = 0;

  /**
   * Resolves at the end of the reply.
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
      // The subject of the pictures is gone (a deleted job). The reply can only be cut; the reader's next request gets the refusal.
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
    // The wait begins before the picture is read, so that no change is missed in between.
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
