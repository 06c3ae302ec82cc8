import { PlatformError } from "../../../shared/errors.ts";
import type { HttpParts, Routes } from "../context.ts";
import { ItemWriter } from "../item-writer.ts";
import { jobOf } from "../ownership.ts";
import { afterOf, beginStream } from "../reply.ts";
import { ndjsonResults, provisionalItem } from "../result-items.ts";

/** Provisional results of a job, page by page in the order of the inputs, at the reader's pace. */
export function provisionalRoutes({ platform, blobs }: HttpParts): Routes<"GET /api/jobs/{id}/provisional"> {
  return {
    "GET /api/jobs/{id}/provisional": async (call) => {
      const { id } = await jobOf(call, platform);
      let after = afterOf(call) ?? -1;
      const { res, signal } = call;
      beginStream(call, ndjsonResults.contentType);
      const writer = new ItemWriter(res, ndjsonResults, signal, blobs);
      while (!signal.aborted) {
        if (!(await call.stillAllowed()))
          throw new PlatformError("UNAUTHENTICATED", "The token was revoked or has expired.");
        const page = await platform.provisionalResults(id, after);
        const last = page.at(-1);
        if (!last) break;
        for (const result of page) {
          const full = writer.write(provisionalItem(result));
          if (full) await full;
        }
        after = last.index;
      }
      await writer.close();
      if (!res.destroyed) res.end();
    },
  };
}
