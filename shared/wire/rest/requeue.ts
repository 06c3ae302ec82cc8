import * as v from "valibot";
import { jobIdSchema } from "../../ids.ts";
import { limits, recordLimits } from "../../limits.ts";
import { taskFailureSchema } from "./failures.ts";
import { text } from "./fields.ts";
import { groupSchema } from "./job-options.ts";

const requeueGroupSchema = v.strictObject({
  kind: taskFailureSchema.entries.kind,
  pattern: v.pipe(v.string(), v.maxLength(limits.messageChars)),
});

/** The body of `POST /api/jobs/{id}/requeue-failed`; absent: all failed tasks. */
export const requeueSchema = v.strictObject({
  /** Only failures of this group of `GET /api/jobs/{id}/failures`. */
  group: v.optional(requeueGroupSchema),
  /** Only failures with these words in their message, in any case. */
  message: v.optional(text(limits.nameChars)),
});
export type Requeue = v.InferOutput<typeof requeueSchema>;

/** The body of `POST /api/requeue-failed`. */
export const requeueJobsSchema = v.strictObject({
  jobs: v.optional(v.pipe(v.array(jobIdSchema), v.maxLength(recordLimits.changedJobs))),
  /** Jobs of this group with failed tasks. */
  group: v.optional(groupSchema),
  message: requeueSchema.entries.message,
});
export type RequeueJobs = v.InferOutput<typeof requeueJobsSchema>;

/** Why a job was left as it is. */
export const refusalSchema = v.object({ code: v.string(), message: v.string() });

export const requeuedJobsSchema = v.object({
  requeued: v.number(),
  jobs: v.array(v.object({ id: jobIdSchema, requeued: v.number(), refusal: v.optional(refusalSchema) })),
});
export type RequeuedJobs = v.InferOutput<typeof requeuedJobsSchema>;
