import * as v from "valibot";

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
  /** The quota of bytes is full: no task of this customer is handed out. */
  full: v.boolean(),
});
export type UsageInfo = v.InferOutput<typeof usageSchema>;
