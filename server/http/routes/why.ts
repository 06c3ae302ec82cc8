import type { HttpParts, Routes } from "../context.ts";
import { jobOf } from "../ownership.ts";
import { parameter, reply, serversOf } from "../reply.ts";

type Names = "GET /api/why" | "GET /api/jobs/{id}/why" | "GET /api/clients/{id}/why";

/** Why no task is computed: of the server, a job, a client. */
export function whyRoutes({ platform }: HttpParts): Routes<Names> {
  return {
    "GET /api/why": async (call) => reply(call, await platform.why(serversOf(call))),
    "GET /api/jobs/{id}/why": async (call) => {
      const { id } = await jobOf(call, platform);
      reply(call, await platform.whyJob(id, serversOf(call)));
    },
    "GET /api/clients/{id}/why": async (call) =>
      reply(call, await platform.whyClient(parameter(call, "id"), serversOf(call))),
  };
}
