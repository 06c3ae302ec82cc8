import { hasEnded } from "../../../shared/wire/rest.ts";
import type { HttpParts, Routes } from "../context.ts";
import type { NewsStreams } from "../news-streams.ts";
import { jobOf } from "../ownership.ts";

/** How a job stands, pushed. */
export function progressRoutes(
  { platform }: HttpParts,
  streams: NewsStreams,
): Routes<"GET /api/jobs/{id}/progress"> {
  return {
    "GET /api/jobs/{id}/progress": async (call) => {
      const { id } = await jobOf(call, platform);
      await streams.send(call, {
        read: () => platform.progress(id),
        changed: (signal) => platform.moved(id, signal),
        isLast: ({ state }) => hasEnded(state),
      });
    },
  };
}
