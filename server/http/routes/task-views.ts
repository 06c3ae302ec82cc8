import * as v from "valibot";
import { taskIndexSchema } from "../../../shared/ids.ts";
import { check } from "../body.ts";
import type { HttpParts, Routes } from "../context.ts";
import { jobOf } from "../ownership.ts";
import { parameter, reply } from "../reply.ts";

type Names = "GET /api/jobs/{id}/failures" | "GET /api/jobs/{id}/cost" | "GET /api/jobs/{id}/tasks/{index}";

const indexSchema = v.pipe(
  v.string(),
  v.digits("expected the index of a task, a whole number from 0"),
  v.toNumber(),
  taskIndexSchema,
);

/** Single tasks, failed tasks by what failed, and what a job cost. */
export function taskViewRoutes({ platform }: HttpParts): Routes<Names> {
  return {
    "GET /api/jobs/{id}/failures": async (call) => {
      const { id } = await jobOf(call, platform);
      reply(call, await platform.failureGroups(id));
    },
    "GET /api/jobs/{id}/cost": async (call) => {
      const { id } = await jobOf(call, platform);
      reply(call, await platform.cost(id));
    },
    "GET /api/jobs/{id}/tasks/{index}": async (call) => {
      const { id } = await jobOf(call, platform);
      reply(call, await platform.task(id, check(indexSchema, parameter(call, "index"), "address")));
    },
  };
}
