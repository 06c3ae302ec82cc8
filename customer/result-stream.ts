import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import { contentTypes } from "../shared/wire/rest/content-types.ts";
import { readResultFrame, type JobLine, type ResultPack } from "../shared/wire/result-pack.ts";
import { FrameSplitter } from "./frames.ts";
import type { HttpClient } from "./http.ts";
import { pauseMs } from "./retry.ts";

/**
 * The results of a job in completion order, pack by pack, beginning after sequence number `after`. There are no gaps across
 * broken connections and restarts of the server, because each request begins after the last result. Ends after the `end` line
 * with `follow`, else after the present results.
 */
export async function* streamResults(
  http: HttpClient,
  id: JobId,
  options: { after?: number; follow: boolean; signal: AbortSignal },
): AsyncGenerator<ResultPack | JobLine, void, undefined> {
  let after = options.after ?? 0;
  for (let cuts = 0; ;) {
    const attempt = new AbortController();
    const signal = AbortSignal.any([options.signal, attempt.signal]);
    try {
      const response = await http.open({
        method: "GET",
        path: `api/jobs/${id}/results?after=${after}&follow=${options.follow ? 1 : 0}`,
        headers: { accept: contentTypes.resultPack },
        signal,
        lasts: options.follow,
        mayShrink: true,
      });
      const splitter = new FrameSplitter();
      for await (const chunk of chunksOf(response))
        for (const frame of framesOf(splitter, chunk)) {
          if (frame.state === "pack") after = frame.seqs.at(-1) ?? after;
          cuts = 0;
          yield frame;
          if (frame.state === "end") return;
        }
      if (!options.follow) return;
    } catch (error) {
      if (error instanceof PlatformError) throw error;
      options.signal.throwIfAborted();
      // Another failure is of the connection: the next request begins after the last result.
    } finally {
      attempt.abort();
    }
    await sleep(pauseMs(cuts++), undefined, { signal: options.signal }).catch(() =>
      options.signal.throwIfAborted(),
    );
  }
}

/** The contents of the frames that a chunk completes. @throws PlatformError UPGRADE_REQUIRED */
function framesOf(splitter: FrameSplitter, chunk: Uint8Array): (ResultPack | JobLine)[] {
  try {
    return [...splitter.push(chunk)].map(readResultFrame);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError("UPGRADE_REQUIRED", `Results came in an unknown form: ${reason}.`, error);
  }
}

async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // An abandoned stream would otherwise go on filling its buffer.
    await reader.cancel().catch(() => undefined);
  }
}
