import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import { onceKeyPrefix } from "../../shared/wire/rest/job-options.ts";
import type { JobRow } from "../store/store.ts";

const dayMs = 24 * 3600 * 1000;
/** Limit for jobs of a running program: nights and weekends of an instrument. */
const idleMs = 7 * dayMs;
/** Limit for jobs with a key, whose program may be run again and go on: a holiday. */
const keyedIdleMs = 30 * dayMs;

/**
 * The reason to end an open job whose customer left in the middle of submitting (SPEC.md [KEY-3]); undefined before
 * its time limit. A job that is fed by another job ends with that job.
 */
export function whyAbandoned(
  { state, key, submittedAt, inputsFrom }: JobRow,
  now: number,
): TaskFailure | undefined {
  if (state !== "open" || inputsFrom !== undefined) return undefined;
  const mayComeBack = key !== undefined && !key.startsWith(onceKeyPrefix);
  const limitMs = mayComeBack ? keyedIdleMs : idleMs;
  if (now - submittedAt < limitMs) return undefined;
  const message = `Cancelled: it was open for more tasks, got none for ${limitMs / dayMs} days, and nobody read its results.`;
  return { index: 0, kind: "lost", message, attempts: 0 };
}
