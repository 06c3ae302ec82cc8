import * as v from "valibot";

/** Figures of a minute. Those of several servers add up, but for `latencyMs`, their mean. */
export const historyFigures = [
  /** Tasks that ended with an output, and in a failure. */
  "done",
  "failed",
  /** Mean time from the lease of a task to its result beyond its run time, of tasks that did not wait in a queue of their client. */
  "latencyMs",
  /** Bytes that the server read from its connections and wrote to them, of any kind. */
  "bytesIn",
  "bytesOut",
  /** Data references of leased tasks, and those that their client had cached. */
  "references",
  "cached",
  /** At the end of the minute. */
  "clients",
  "slots",
  "busy",
] as const;
export type HistoryFigure = (typeof historyFigures)[number];
export type Figures = Readonly<Record<HistoryFigure, number | null>>;

/** Minutes of history that are kept. */
export const historyMinutes = 24 * 60;

const column = v.array(v.nullable(v.number()));

/** The answer to `GET /api/history`: figures of the last 24 hours as columns, a number a minute, null where no server ran. */
export const historySchema = v.object({
  /** The first minute, in ms since the Unix epoch. */
  from: v.number(),
  everyMs: v.number(),
  figures: v.object(
    Object.fromEntries(historyFigures.map((name) => [name, column])) as Record<HistoryFigure, typeof column>,
  ),
});
export type History = v.InferOutput<typeof historySchema>;
