import { limits } from "../../../shared/limits.ts";
import { hints } from "../../../shared/hints.ts";
import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import { contentTypes } from "../../../shared/wire/rest/content-types.ts";
import { hasEnded } from "../../../shared/wire/rest/job-state.ts";
import type { JobInfo } from "../../../shared/wire/rest/jobs.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { ItemWriter } from "../item-writer.ts";
import type { ReadingTurns } from "../reading-turns.ts";
import { jobOf } from "../ownership.ts";
import { replyBody } from "../reply-body.ts";
import { afterOf, beginStream, flag, query } from "../reply.ts";
import {
  jsonResults,
  msgpackResults,
  ndjsonResults,
  packedResults,
  type ResultFormat,
} from "../result-items.ts";

/** Results of a job, page by page in order of completion, at the reader's pace. */
export function resultRoutes(
  { platform, blobs, log }: HttpParts,
  turns: ReadingTurns,
): Routes<"GET /api/jobs/{id}/results"> {
  return {
    "GET /api/jobs/{id}/results": async (call) => {
      const { id, lastSeq } = await jobOf(call, platform);
      const after = afterOf(call) ?? 0;
      mustBeOfThisServer(id, after, lastSeq);
      const follow = flag(call, "follow");
      const { format, file } = wantedFormat(call, follow);
      const { req, res, signal } = call;
      res.setHeader("Vary", "Accept");
      if (file !== undefined) res.setHeader("Content-Disposition", `attachment; filename="${id}.${file}"`);
      const body = replyBody(req, res, signal);
      beginStream(call, format.contentType);
      const writer = new ItemWriter(body, format, signal, blobs, turns);
      const leave = turns.join();
      const endReading = platform.reads(id);
      try {
        await stream(call, platform, id, after, follow, format, writer, turns);
      } catch (error) {
        if (!signal.aborted) throw error;
        log.debug({ job: id }, "reader of results went away");
      } finally {
        leave();
        endReading();
      }
      body.end();
    },
  };
}

/** Sequence numbers only grow, but where a backup was restored: a reader of the lost server would miss results of this server. */
function mustBeOfThisServer(id: JobId, after: number, lastSeq: number): void {
  if (after <= lastSeq) return;
  throw new PlatformError(
    "CONFLICT",
    `Job ${id} has results up to number ${lastSeq}, and this request is for those after ${after}: they were read before the server's data was restored from a backup. Expected a reader that begins anew.`,
    undefined,
    hints.restored,
  );
}

async function stream(
  { signal, stillAllowed }: Call,
  platform: HttpParts["platform"],
  id: JobId,
  start: number,
  follow: boolean,
  format: ResultFormat,
  writer: ItemWriter,
  turns: ReadingTurns,
): Promise<void> {
  let after = start;
  let isNews = true;
  /** The job after its end: a later empty page means that no results follow. */
  let ended: JobInfo | undefined;
  writer.open();
  while (!signal.aborted) {
    if (!(await stillAllowed()))
      throw new PlatformError("UNAUTHENTICATED", "The token was revoked or has expired.");
    await turns.next();
    const page = await platform.results(id, after, turns.share);
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

/** The form that the query names for a download, or else that of `Accept`. @throws PlatformError BAD_REQUEST, UNSUPPORTED_TYPE */
function wantedFormat(call: Call, follow: boolean): { format: ResultFormat; file?: string } {
  const file = query(call, "format");
  if (file === undefined) return { format: formatOf(call, follow) };
  if (file === "ndjson") return { format: ndjsonResults, file };
  if (file === "msgpack") return { format: msgpackResults, file };
  throw new PlatformError("BAD_REQUEST", `?format=${file} is not understood; expected ndjson or msgpack.`);
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
