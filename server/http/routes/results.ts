import { limits } from "../../../shared/limits.ts";
import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import { contentTypes, hasEnded, type JobInfo } from "../../../shared/wire/rest.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { ItemWriter } from "../item-writer.ts";
import { jobOf } from "../ownership.ts";
import { afterOf, beginStream, flag } from "../reply.ts";
import {
  jsonResults,
  msgpackResults,
  ndjsonResults,
  packedResults,
  type ResultFormat,
} from "../result-items.ts";

/** Results of a job, page by page in order of completion, at the reader's pace. */
export function resultRoutes({ platform, blobs, log }: HttpParts): Routes<"GET /api/jobs/{id}/results"> {
  return {
    "GET /api/jobs/{id}/results": async (call) => {
      const { id } = await jobOf(call, platform);
      const after = afterOf(call) ?? 0;
      const follow = flag(call, "follow");
      const format = formatOf(call, follow);
      const { res } = call;
      res.setHeader("Vary", "Accept");
      beginStream(call, format.contentType);
      const writer = new ItemWriter(res, format, call.signal, blobs);
      try {
        await stream(call, platform, id, after, follow, format, writer);
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
  format: ResultFormat,
  writer: ItemWriter,
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
      for (const part of format.parts(page)) {
        const full = writer.write(part);
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
        await writer.write(format.end(ended));
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
