import { hasEnded } from "../../../shared/wire/rest/job-state.ts";
import type { HttpParts, Routes } from "../context.ts";
import type { PushStreams } from "../push-streams.ts";
import { jobOf } from "../ownership.ts";

/** Pushed progress of a job. */
export function progressRoutes(
  { platform }: HttpParts,
  streams: PushStreams,
): Routes<"GET /api/jobs/{id}/progress"> {
  return {
    "GET /api/jobs/{id}/progress": async (call) => {
      const { id } = await jobOf(call, platform);
      await streams.send(call, {
        read: async () => {
          const progress = await platform.progress(id);
          return { json: JSON.stringify(progress), isLast: hasEnded(progress.state) };
        },
        changed: (signal) => platform.moved(id, signal),
      });
    },
  };
}
