import * as v from "valibot";
import { taskIndexSchema } from "../../ids.ts";
import { failureKinds } from "../protocol.ts";

export const taskFailureSchema = v.object({
  index: taskIndexSchema,
  kind: v.picklist([...failureKinds, "lost", "quarantined", "blocked"]),
  message: v.string(),
  stack: v.optional(v.string()),
  attempts: v.number(),
  /** The client of the last attempt. */
  client: v.optional(v.string()),
});
/**
 * Kind of a failure for good. `lost`: the task's clients went away; `quarantined`: its kernel killed several distinct clients;
 * `blocked`: a job that its job came after did not finish well.
 */
export type TaskFailure = v.InferOutput<typeof taskFailureSchema>;

const failureGroupSchema = v.object({
  kind: taskFailureSchema.entries.kind,
  /** The message without numbers, hashes and ids: what the failures of the group have in common. */
  pattern: v.string(),
  /** Message and stack of the first failure of the group. */
  message: v.string(),
  stack: v.optional(v.string()),
  count: v.number(),
  /** The first tasks. */
  indexes: v.array(taskIndexSchema),
  /** The clients of the last attempts, those with the most failures first. */
  clients: v.array(v.object({ client: v.string(), failures: v.number() })),
});
export type FailureGroup = v.InferOutput<typeof failureGroupSchema>;

/** The answer to `GET /api/jobs/{id}/failures`: failed tasks by what failed, the largest group first. */
export const failureGroupsSchema = v.object({
  /** Failed tasks of the job. */
  failed: v.number(),
  /** Failures that were looked at: those of a quarantined or blocked job that have no failure of their own are not among them. */
  examined: v.number(),
  /** Failures beyond the groups that are told. */
  ungrouped: v.number(),
  groups: v.array(failureGroupSchema),
});
export type FailureGroups = v.InferOutput<typeof failureGroupsSchema>;
