import * as v from "valibot";
import { integer } from "./fields.ts";

/** The body of `PUT /api/quotas/{customer}`: bounds of the customer's own; what is absent is as the server bounds everybody. */
export const quotasSchema = v.strictObject({
  /** Stored bytes; at 0 no task of the customer is handed out. */
  bytes: v.optional(integer(0, Number.MAX_SAFE_INTEGER)),
  jobs: v.optional(integer(0, 10_000_000)),
  kernels: v.optional(integer(0, 10_000_000)),
  openTasks: v.optional(integer(0, 10_000_000_000)),
});
export type OwnQuotas = v.InferOutput<typeof quotasSchema>;

/** Usage and quota of a customer: an item of `GET /api/usage`. */
export const usageSchema = v.object({
  customer: v.string(),
  /** `outputs` includes failures; `blobs` includes each blob that an input or output refers to or is in, once. */
  bytes: v.object({
    inputs: v.number(),
    outputs: v.number(),
    blobs: v.number(),
    kernels: v.number(),
    total: v.number(),
  }),
  jobs: v.number(),
  kernels: v.number(),
  /** Tasks without an outcome of jobs that have not ended. */
  openTasks: v.number(),
  quota: v.object({ bytes: v.number(), jobs: v.number(), kernels: v.number(), openTasks: v.number() }),
  /** Bounds of this customer alone; `quota` has the others from the server. */
  ownQuota: v.optional(
    v.object({
      bytes: v.optional(v.number()),
      jobs: v.optional(v.number()),
      kernels: v.optional(v.number()),
      openTasks: v.optional(v.number()),
    }),
    () => ({}),
  ),
  /** The quota of bytes is full: no task of this customer is handed out. */
  full: v.boolean(),
});
export type UsageInfo = v.InferOutput<typeof usageSchema>;
