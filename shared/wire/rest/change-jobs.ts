import * as v from "valibot";
import { jobIdSchema } from "../../ids.ts";
import { recordLimits } from "../../limits.ts";
import { refusalSchema } from "./requeue.ts";

/** Verbs of a request that changes several jobs. Failed tasks are tried again by `POST /api/requeue-failed`. */
export const jobVerbs = ["pause", "resume", "cancel"] as const;
export type JobVerb = (typeof jobVerbs)[number];

/** The body of `POST /api/change-jobs`. */
export const changeJobsSchema = v.strictObject({
  verb: v.picklist(jobVerbs),
  jobs: v.pipe(v.array(jobIdSchema), v.minLength(1), v.maxLength(recordLimits.changedJobs)),
});

export const changedJobsSchema = v.object({
  /** Jobs that are as the request wants them. */
  changed: v.number(),
  /** Jobs that were left as they are. */
  refused: v.array(v.object({ id: jobIdSchema, refusal: refusalSchema })),
});
export type ChangedJobs = v.InferOutput<typeof changedJobsSchema>;
