import * as v from "valibot";

/** The answer to `GET /api/public-status`: the project's progress, for anybody. */
export const publicStatusSchema = v.object({
  clients: v.number(),
  slots: v.number(),
  busy: v.number(),
  /** Results a second. */
  rate: v.number(),
  /** Tasks that ended well since the server started. */
  tasksDone: v.number(),
  tasksWaiting: v.number(),
  startedAt: v.number(),
  /** Up to 50 jobs that have not ended, those that run first. Names are told of jobs with `public: true` alone. */
  jobs: v.array(
    v.object({
      name: v.nullable(v.string()),
      customer: v.nullable(v.string()),
      fraction: v.number(),
      total: v.number(),
      done: v.number(),
      rate: v.number(),
      estimatedMs: v.nullable(v.number()),
    }),
  ),
  jobCount: v.number(),
});
export type PublicStatus = v.InferOutput<typeof publicStatusSchema>;
