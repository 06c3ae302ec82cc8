import * as v from "valibot";
import { sha256Schema, taskIndexSchema } from "../../ids.ts";
import { taskFailureSchema } from "./failures.ts";

const taskTimeSchema = v.object({ index: taskIndexSchema, elapsedMs: v.number(), client: v.string() });

/** The answer to `GET /api/jobs/{id}/cost`: what clients spent on a job, failed and repeated runs included. */
export const jobCostSchema = v.object({
  /** Time of slots. */
  computedMs: v.number(),
  attempts: v.number(),
  slowest: v.array(taskTimeSchema),
});
export type JobCostInfo = v.InferOutput<typeof jobCostSchema>;

/** A value of a task: its encoded bytes, or the blob that holds them. */
const sizeSchema = v.object({
  bytes: v.number(),
  blob: v.optional(sha256Schema),
  /** Blobs that the value refers to, and their bytes. */
  references: v.number(),
  referencedBytes: v.number(),
});

/** The answer to `GET /api/jobs/{id}/tasks/{index}`. */
export const taskInfoSchema = v.object({
  index: taskIndexSchema,
  state: v.picklist(["queued", "running", "provisional", "done", "failed", "cancelled"]),
  input: v.nullable(sizeSchema),
  output: v.nullable(sizeSchema),
  /** Sequence number of the outcome. */
  seq: v.nullable(v.number()),
  failure: v.optional(taskFailureSchema),
  /** Runs that ended lately, as far as this server remembers them. */
  runs: v.array(
    v.object({
      attempt: v.number(),
      client: v.string(),
      name: v.string(),
      endedAt: v.number(),
      elapsedMs: v.number(),
      failure: v.optional(v.object({ kind: v.string(), message: v.string(), stack: v.optional(v.string()) })),
    }),
  ),
  /** Runs under way. */
  leases: v.array(
    v.object({
      attempt: v.number(),
      client: v.string(),
      name: v.string(),
      sinceMs: v.number(),
      progress: v.number(),
    }),
  ),
  log: v.array(v.object({ at: v.number(), client: v.string(), line: v.string() })),
});
export type TaskInfo = v.InferOutput<typeof taskInfoSchema>;
