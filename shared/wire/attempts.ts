import * as v from "valibot";
import { jobIdSchema } from "../ids.ts";

/** Ends of an attempt, by number. `returned`: its client left, or handed it back. */
export const attemptEnds = ["done", "failed", "lost", "cancelled", "returned"] as const;
export type AttemptEnd = (typeof attemptEnds)[number];
/** Added to the number of the end of an attempt that verifies another result: an audit, or a further opinion. */
export const checkFlag = 8;

/** Most attempts of one reply. */
export const attemptsPerReply = 10_000;
/** Attempts that a server remembers. */
export const attemptsKept = 50_000;

const column = v.array(v.number());

/**
 * The answer to `GET /api/attempts?after=N`: attempts that ended at this server since the N-th, oldest first, as columns; and those that run.
 * Numbers in `jobs` and `clients` of the columns are positions in the lists. Slots are estimated from the times, because clients do not tell them.
 */
export const attemptsSchema = v.object({
  /** Names one life of the server; the numbers begin anew with another. */
  life: v.string(),
  /** `after` of the next request. */
  next: v.number(),
  /** Number of attempts that ended after `next`. */
  left: v.number(),
  /** The server's clock, in ms since the Unix epoch. */
  now: v.number(),
  jobs: v.array(v.object({ id: jobIdSchema, name: v.string() })),
  clients: v.array(v.object({ id: v.string(), name: v.string(), slots: v.number() })),
  ended: v.object({
    jobs: column,
    clients: column,
    slots: column,
    /** Index of the task, or of the first task of a bundle. */
    indexes: column,
    /** Number of tasks: a bundle of tiny tasks is one attempt. */
    counts: column,
    /** Start in ms before `now`. */
    agesMs: column,
    /** Run time in ms. */
    tookMs: column,
    /** Position in `attemptEnds`, plus `checkFlag`. */
    ends: column,
  }),
  /** Attempts that run, those of up to 2,000 slots. */
  running: v.object({
    jobs: column,
    clients: column,
    slots: column,
    indexes: column,
    agesMs: column,
    checks: column,
  }),
});
export type Attempts = v.InferOutput<typeof attemptsSchema>;
