import * as v from "valibot";
import { taskIndexSchema } from "../../ids.ts";
import { taskFailureSchema } from "./failures.ts";
import { jobStates } from "./job-state.ts";
import { jobCountsSchema } from "./jobs.ts";
import { statementSchema } from "./verification.ts";

/**
 * An item of `GET /api/jobs/{id}/results`, in completion order. In JSON `output` is the value, whatever its size; in
 * MessagePack `output` is encoded bytes or `{sha256, size}`.
 */
export const resultLineSchema = v.variant("state", [
  v.object({
    state: v.literal("done"),
    seq: v.number(),
    index: taskIndexSchema,
    output: v.optional(v.unknown()),
  }),
  v.object({ state: v.literal("failed"), seq: v.number(), ...taskFailureSchema.entries }),
  /** Last item of a stream that reached the end of the job. */
  v.object({
    state: v.literal("end"),
    job: v.picklist(jobStates),
    counts: jobCountsSchema,
    statement: statementSchema,
  }),
]);
export type ResultLine = v.InferOutput<typeof resultLineSchema>;

/** An item of `GET /api/jobs/{id}/provisional`, lowest index first. */
export const provisionalLineSchema = v.object({
  state: v.literal("provisional"),
  index: taskIndexSchema,
  /** The stranger that computed the result. */
  client: v.string(),
  output: v.optional(v.unknown()),
  /** Reason why the output cannot be read. */
  message: v.optional(v.string()),
});
export type ProvisionalLine = v.InferOutput<typeof provisionalLineSchema>;

const provisionalNoticeEntries = { index: taskIndexSchema, client: v.string() };

/**
 * An item of `GET /api/jobs/{id}/provisional?follow=1`. The reply begins with `snapshot`, the present results and `current`;
 * then come new results and notices, each batch with another `current`. A reader that is far behind gets `snapshot` again
 * instead of the missed items: an earlier result that is not among the results before `current` is no longer provisional.
 */
export const followedProvisionalSchema = v.variant("state", [
  provisionalLineSchema,
  /** The result is the outcome of its task. */
  v.object({ state: v.literal("accepted"), ...provisionalNoticeEntries }),
  /** The result is not taken: another one is the outcome of its task, or will be. */
  v.object({ state: v.literal("withdrawn"), ...provisionalNoticeEntries }),
  /** The present results follow; none of them is an outcome with a sequence number up to `seq`. */
  v.object({ state: v.literal("snapshot"), seq: v.number() }),
  /** The reply has told every change up to the outcome with the sequence number `seq`. */
  v.object({ state: v.literal("current"), seq: v.number() }),
  /** The job has ended, and with it the reply. */
  v.object({ state: v.literal("end"), job: v.picklist(jobStates) }),
]);
export type FollowedProvisional = v.InferOutput<typeof followedProvisionalSchema>;
