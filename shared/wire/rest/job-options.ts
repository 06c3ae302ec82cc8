import * as v from "valibot";
import { jobIdSchema, sha256Schema } from "../../ids.ts";
import { jobDefaults, limits } from "../../limits.ts";
import { kernelSignatureSchema } from "../kernel-signature.ts";
import { integer, text } from "./fields.ts";
import { requirementsSchema } from "./requirements.ts";
import { compareSchema, verifySchema, type Compare } from "./verification.ts";

/** Prefix of a key for one run of one program: no later run has the same key. */
export const onceKeyPrefix = "once-";

/** Name of a group of jobs. */
export const groupSchema = text(limits.nameChars);

export const jobOptionsSchema = v.strictObject({
  name: v.optional(text(limits.nameChars), "job"),
  /** What the job is for, for the people whose machines compute it. */
  description: v.optional(text(limits.descriptionChars)),
  /**
   * Makes submission idempotent: a key of a customer names one job, also after the customer was killed and started again. The
   * SDK always sends a key.
   */
  key: v.optional(text(limits.nameChars)),
  priority: v.optional(integer(limits.minPriority, limits.maxPriority), jobDefaults.priority),
  maxAttempts: v.optional(integer(1, limits.maxAttempts), jobDefaults.maxAttempts),
  timeoutMs: v.optional(integer(limits.minTimeoutMs, limits.maxTimeoutMs), jobDefaults.timeoutMs),
  memoryMb: v.optional(integer(limits.minMemoryMb, limits.maxMemoryMb), jobDefaults.memoryMb),
  /** Seeds `ctx.random`: the same seed gives the same streams. */
  seed: v.optional(text(limits.nameChars), "0"),
  requires: v.optional(requirementsSchema, {}),
  /** Of the kernel: clients that trust certain signers run nothing else. */
  signature: v.optional(kernelSignatureSchema),
  /**
   * With `true` the job is quarantined when its first tasks all fail alike; with `false` every task is tried, however many
   * fail.
   */
  failFast: v.optional(v.boolean(), true),
  /**
   * `portable`: the functions of `Math` give the same bits on every client; randomness and clocks throw, and languages and time zones are
   * absent. `native`: all of these are those of the client's engine.
   */
  math: v.optional(v.picklist(["portable", "native"]), "portable"),
  verify: v.optional(verifySchema, "audit"),
  /** Absent: `bits`, or a tolerance when `requires.webgpu` is true ({@link usualCompare}). */
  compare: v.optional(compareSchema),
  /**
   * The kernel module's `check(input, output)` and `suspicious(output)` look at every result of a stranger, in a trusted client's sandbox.
   */
  check: v.optional(v.boolean(), false),
  /**
   * Time in ms that the job is kept after its end; then it is deleted with its results. Absent: as long as the server keeps jobs, which may
   * be shorter than what is given here.
   */
  keepMs: v.optional(integer(60_000, 10 * 365 * 24 * 3_600_000)),
  /** Jobs of one group are listed and cancelled together. */
  group: v.optional(groupSchema),
  /** The public page of the project, where there is one, tells the job's name and its customer's. */
  public: v.optional(v.boolean()),
  /**
   * Jobs that must finish without a failed task before a task of this job is handed out. Only jobs that exist can be named, so
   * there are no cycles. A job among them that ends otherwise blocks this job.
   */
  after: v.optional(v.pipe(v.array(jobIdSchema), v.maxLength(limits.afterJobs))),
  /**
   * The job whose outputs are the inputs of this job: each is passed on when it is accepted, to the task of the same index. The job
   * takes no other inputs, and is closed after that job has finished. Where a task of that job failed, this job's task is failed.
   */
  inputsFrom: v.optional(jobIdSchema),
  /**
   * Number of neighbouring tasks of `inputsFrom` whose outputs, as an array, are one input; the last input may have fewer. Absent: an
   * input is one output.
   */
  outputsPerTask: v.optional(integer(2, limits.outputsPerTask)),
});
/** Options of a job with the defaults that do not depend on other options. */
export type GivenOptions = v.InferOutput<typeof jobOptionsSchema>;
/** Options of a job with every default filled in. */
export type JobOptions = GivenOptions & { compare: Compare };
/** Options of a job as a customer gives them. */
export type JobOptionsInput = v.InferInput<typeof jobOptionsSchema>;

export const createJobSchema = v.strictObject({
  ...jobOptionsSchema.entries,
  /** SHA-256 of a kernel posted before, or its source text (an ES module with a default export). */
  kernel: v.union([
    sha256Schema,
    v.strictObject({ source: v.pipe(v.string(), v.minLength(1), v.maxLength(limits.kernelBytes)) }),
  ]),
  /** JSON only: inputs inline, as tasks 0, 1, 2 …; a job with inputs is closed at once unless `open` is true. */
  inputs: v.optional(v.pipe(v.array(v.unknown()), v.maxLength(100_000))),
  /** Keeps the job open for more tasks although `inputs` were given. */
  open: v.optional(v.boolean(), false),
});
export const prioritySchema = v.strictObject({ priority: integer(limits.minPriority, limits.maxPriority) });
