import * as v from "valibot";
import { blobNameSchema, type BlobName } from "../data-reference.ts";
import { jobIdSchema, taskIndexSchema } from "../ids.ts";
import { limits } from "../limits.ts";

/** A task as both ends of the protocol and a client's outbox know it. */

export const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
export const bytes = (max: number) =>
  v.pipe(
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes"),
    v.check((value) => value.length <= max, `expected at most ${max} bytes`),
  );

const attemptSchema = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(limits.maxAttemptNumber));
export const refsSchema = v.pipe(v.array(blobNameSchema), v.maxLength(limits.refsPerTask));

/** Names a lease: a task and the number of the attempt. */
export const leaseKeySchema = v.strictObject({
  job: jobIdSchema,
  index: taskIndexSchema,
  attempt: attemptSchema,
});
export type LeaseKey = v.InferOutput<typeof leaseKeySchema>;

/**
 * Kind of an attempt's failure. `crash`: the kernel ended the sandbox (out of memory, abort); `memory`: the kernel went over
 * `memoryMb`; `unserialisable`: an input or output is no value; `refused`: the kernel does not load.
 */
export const failureKinds = [
  "error",
  "timeout",
  "crash",
  "memory",
  "unserialisable",
  "data",
  "refused",
] as const;
export type FailureKind = (typeof failureKinds)[number];

/** Failure of an attempt, for the author of the kernel. */
export const failureSchema = v.strictObject({
  kind: v.picklist(failureKinds),
  message: text(limits.messageChars),
  stack: v.optional(text(limits.stackChars)),
});
export type Failure = v.InferOutput<typeof failureSchema>;

/** An encoded value inline, or the blob that holds the encoded value when it is over 256 KiB. */
const payloadSchema = v.union([bytes(limits.inlineValueBytes), blobNameSchema]);
export type Payload = v.InferOutput<typeof payloadSchema>;

/**
 * Functions of a kernel module that verify results. `inspect`: `check(input, output)` and `suspicious(output)`, as far as the module exports them; the
 * value is `{correct, suspicious}`. `compare`: `compare(input, value)` of two outputs, the value is a boolean.
 */
export const verifyingCalls = ["inspect", "compare"] as const;

/** A call of a verifying function instead of the kernel; `value` is the encoded second argument. */
export const callSchema = v.strictObject({
  name: v.picklist(verifyingCalls),
  value: bytes(limits.inlineValueBytes),
});
export type VerifyingCall = v.InferOutput<typeof callSchema>;

/** A lease, as the client gets it. */
export interface LeasedTask {
  readonly index: number;
  readonly attempt: number;
  readonly input: Payload;
  /** Blobs the input refers to, so that their bytes can be fetched while another task computes. */
  readonly refs?: readonly BlobName[] | undefined;
  /** Newest stored checkpoint of the task (an encoded value). */
  readonly resume?: Uint8Array | undefined;
  /** Only for trusted node clients. */
  readonly call?: VerifyingCall | undefined;
}

/** Message about a stored output that cannot be read; the server counts its task as done. */
export function unreadableOutput(reason: string): string {
  return `The task was done, but its output cannot be read. ${reason} Submit the input again to have it computed anew.`;
}

export const taskResultSchema = v.strictObject({
  index: taskIndexSchema,
  attempt: attemptSchema,
  /** Run time of the kernel in ms. */
  elapsedMs: v.pipe(v.number(), v.finite(), v.minValue(0)),
  outcome: v.variant("state", [
    v.strictObject({
      state: v.literal("done"),
      output: payloadSchema,
      refs: v.optional(refsSchema),
    }),
    v.strictObject({ state: v.literal("failed"), failure: failureSchema }),
  ]),
});
/** A finished attempt, as the client reports it. */
export type TaskResult = v.InferOutput<typeof taskResultSchema>;
export type TaskOutcome = TaskResult["outcome"];
