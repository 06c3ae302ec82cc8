import * as v from "valibot";
import { dataReferenceSchema } from "../../data-reference.ts";
import { limits } from "../../limits.ts";
import { integer } from "./fields.ts";
import { requirementsSchema } from "./requirements.ts";

/** The body of `POST /api/precache`. */
export const precacheSchema = v.strictObject({
  /** Whole blobs, or ranges of them. */
  refs: v.pipe(v.array(dataReferenceSchema), v.minLength(1), v.maxLength(limits.precacheRefs)),
  /** Requirements on the clients; absent: all clients. */
  requires: v.optional(requirementsSchema, {}),
  /** The request waits until this many clients have the data, or as much of it as they will hold; 0 needs no client. */
  atLeast: v.optional(integer(0, 1_000_000), 1),
  /** Goes on after all clients have the data, for clients that join later, until the request is ended. */
  stay: v.optional(v.boolean(), false),
});
export type PrecacheInput = v.InferInput<typeof precacheSchema>;

/** Progress of a precache: a line of the answer to `POST /api/precache`. */
export const precacheProgressSchema = v.object({
  /** No client has a transfer under way, and there were enough clients. */
  done: v.boolean(),
  /** Bytes for each client: overlapping parts count once, ranges of large blobs in whole chunks. */
  bytes: v.number(),
  /** Connected clients that the precache asks. */
  clients: v.number(),
  /** Clients that have all of the data. */
  have: v.number(),
  /** Clients that will not hold all of the data, because their cache is too small or a fetch failed. `problems` says why. */
  short: v.number(),
  /** Clients that their owner paused; the precache does not wait for them. */
  paused: v.number(),
  /** Bytes in the caches of all clients together, of `bytes` × `clients`. */
  haveBytes: v.number(),
  /** The first clients that are short, up to 20. */
  problems: v.array(
    v.object({ client: v.string(), name: v.string(), missedBytes: v.number(), message: v.string() }),
  ),
});
export type PrecacheProgress = v.InferOutput<typeof precacheProgressSchema>;
