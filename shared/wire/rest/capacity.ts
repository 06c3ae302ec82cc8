import * as v from "valibot";

const kindCapacitySchema = v.object({
  /** Connected now. */
  clients: v.number(),
  slots: v.number(),
  /** Slots that have a task. */
  busy: v.number(),
  /** Run time of a task on one slot in ms, over the tasks done most recently (half-life a minute); null before the first. */
  meanTaskMs: v.nullable(v.number()),
});

/** The answer to `GET /api/capacity`: the computer that the clients make together. */
export const capacitySchema = v.object({
  clients: v.number(),
  slots: v.number(),
  busy: v.number(),
  /** Measured tasks a second, over the last ten seconds. */
  rate: v.number(),
  /**
   * Expected tasks a second if every slot computed tasks like the recent ones, each kind of client at its own measured speed,
   * without dispatch and transfers. Null before the first task is done.
   */
  tasksPerSecond: v.nullable(v.number()),
  kinds: v.object({ browser: kindCapacitySchema, node: kindCapacitySchema }),
});
export type Capacity = v.InferOutput<typeof capacitySchema>;
