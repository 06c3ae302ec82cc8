import * as v from "valibot";
import { blobNameSchema } from "../../data-reference.ts";
import { taskIndexSchema } from "../../ids.ts";
import { limits } from "../../limits.ts";
import { integer } from "./fields.ts";

const refsSchema = v.optional(v.pipe(v.array(blobNameSchema), v.maxLength(limits.refsPerTask)));

/**
 * A line of `POST /api/jobs/{id}/tasks` in NDJSON. Tasks without `index` continue the numbering after the last task. `refs` are blobs that the
 * task needs beside those of its input, such as those of a kernel in Python.
 */
export const taskLineSchema = v.strictObject({
  index: v.optional(taskIndexSchema),
  input: v.unknown(),
  refs: refsSchema,
});

/** Item of the MessagePack stream of `POST /api/jobs/{id}/tasks`. */
export const taskItemSchema = v.strictObject({
  index: taskIndexSchema,
  input: v.union([
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes"),
    blobNameSchema,
  ]),
  refs: refsSchema,
});

/**
 * Subprotocol of the WebSocket at `/api/jobs/{id}/tasks`: each binary message is a task pack, and the server answers each pack,
 * in order, with a {@link Submitted} as JSON text.
 */
export const submitSubprotocol = "manyhands-tasks";

export const submittedSchema = v.object({
  /** New tasks of this request. */
  added: integer(0, Number.MAX_SAFE_INTEGER),
  /** Tasks of this request that the job already had with the same input. */
  repeated: integer(0, Number.MAX_SAFE_INTEGER),
  /** Tasks of the job now. */
  total: integer(0, Number.MAX_SAFE_INTEGER),
});
export type Submitted = v.InferOutput<typeof submittedSchema>;
