import * as v from "valibot";
import { blobNameSchema } from "../../data-reference.ts";
import { jobIdSchema, sha256Schema } from "../../ids.ts";
import { taskFailureSchema } from "./failures.ts";
import { jobOptionsSchema } from "./job-options.ts";
import { jobStates } from "./job-state.ts";
import { compareSchema, statementSchema } from "./verification.ts";

export const jobCountsSchema = v.object({
  total: v.number(),
  queued: v.number(),
  running: v.number(),
  /** Tasks with results of strangers that are not accepted yet. */
  provisional: v.number(),
  done: v.number(),
  failed: v.number(),
  cancelled: v.number(),
});
export type JobCounts = v.InferOutput<typeof jobCountsSchema>;

export const jobSchema = v.object({
  id: jobIdSchema,
  ...jobOptionsSchema.entries,
  compare: v.optional(compareSchema, "bits"),
  customer: v.string(),
  kernel: blobNameSchema,
  state: v.picklist(jobStates),
  paused: v.boolean(),
  /** Jobs of `after` that have not finished yet. While there are any, no task of this job is computed. */
  waitingFor: v.array(jobIdSchema),
  /** The customer's quota of stored bytes is full (`GET /api/usage`): no task is handed out before there is room. */
  quotaFull: v.boolean(),
  /**
   * Blobs and kernels of the job that are damaged on the server's disk: tasks that need them wait, and outputs in them cannot be read, until
   * they are put again.
   */
  missingData: v.optional(v.array(sha256Schema), []),
  counts: jobCountsSchema,
  statement: statementSchema,
  /** Finished share of the work, 0 … 1: ended tasks, and for running tasks the share that their kernels reported last. */
  fraction: v.number(),
  /** Tasks per second over the last minute. */
  rate: v.number(),
  /** Milliseconds until the job ends at this rate; null while unknown. */
  estimatedMs: v.nullable(v.number()),
  /**
   * The range around it in which the job ends about 95 times of 100 while its rate stays as in the last minute; null: no bound. Absent while
   * unknown.
   */
  estimatedRangeMs: v.optional(v.tuple([v.number(), v.nullable(v.number())])),
  /** The first failures, up to 20. */
  failures: v.array(taskFailureSchema),
  /** Times in ms since the Unix epoch. */
  createdAt: v.number(),
  endedAt: v.nullable(v.number()),
  /** Sequence number of the newest result. */
  lastSeq: v.number(),
  /** Bytes of stored inputs outside blobs. */
  inputBytes: v.number(),
  /** Bytes of stored outputs outside blobs, of failures and of attachments. */
  outputBytes: v.number(),
});
export type JobInfo = v.InferOutput<typeof jobSchema>;

/** State and counts of a job: a line of `GET /api/jobs/{id}/progress`, and the part of a {@link JobInfo} that changes. */
export const jobProgressSchema = v.object({
  state: jobSchema.entries.state,
  paused: jobSchema.entries.paused,
  waitingFor: jobSchema.entries.waitingFor,
  quotaFull: jobSchema.entries.quotaFull,
  missingData: jobSchema.entries.missingData,
  counts: jobSchema.entries.counts,
  statement: jobSchema.entries.statement,
  fraction: jobSchema.entries.fraction,
  rate: jobSchema.entries.rate,
  estimatedMs: jobSchema.entries.estimatedMs,
  estimatedRangeMs: jobSchema.entries.estimatedRangeMs,
});
export type JobProgress = v.InferOutput<typeof jobProgressSchema>;

/** The answer to `POST /api/groups/{group}/cancel`. */
export const cancelledGroupSchema = v.object({
  group: v.string(),
  /** Jobs that were not ended, newest first; jobs that had ended stay as they are. */
  cancelled: v.array(jobSchema),
});
export type CancelledGroup = v.InferOutput<typeof cancelledGroupSchema>;
