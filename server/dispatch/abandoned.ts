import { onceKeyPrefix, type TaskFailure } from "../../shared/wire/rest.ts";
import type { JobRow } from "../store/store.ts";

const dayMs = 24 * 3600 * 1000;
/** Long enough for a program that lives and has had nothing to submit: nights and weekends of an instrument. */
const idleMs = 7 * dayMs;
/** Its program may be run again and go on: long enough for a holiday. */
const keyedIdleMs = 30 * dayMs;

/** Why an open job counts as left by its customer in the middle of submitting (SPEC.md [KEY-3]); undefined while it does not. */
export function whyAbandoned({ state, key, submittedAt }: JobRow, now: number): TaskFailure | undefined {
  if (state !== "open") return undefined;
  const mayComeBack = key !== undefined && !key.startsWith(onceKeyPrefix);
  const limitMs = mayComeBack ? keyedIdleMs : idleMs;
  if (now - submittedAt < limitMs) return undefined;
  const message = `Cancelled: it was open for more tasks, got none for ${limitMs / dayMs} days, and nobody read its results.`;
  return { index: 0, kind: "lost", message, attempts: 0 };
}
