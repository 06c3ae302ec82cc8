import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import { decodeRuns } from "../index-runs.ts";
import type { Step } from "../database.ts";
import type { Transaction } from "../transaction.ts";

/** Packs that are looked at in one go: a few milliseconds. */
const stride = 2_000;

interface Head {
  readonly seq: number;
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
}

/**
 * The sequence number of a task's outcome, looked for among some packs from `from` on: no index leads from a task to its outcome.
 * @returns `next`: where to go on
 */
export function* findOutcome(
  { db, jobs }: Transaction,
  id: JobId,
  index: TaskIndex,
  from: number,
): Step<{ seq?: number; next?: number }> {
  const { number } = yield* jobs.need(id);
  const heads = yield* db.all<Head>(
    "SELECT seq, count, first, runs FROM outcomePacks WHERE job = ? AND seq >= ? ORDER BY seq LIMIT ?",
    number,
    from,
    stride,
  );
  for (const { seq, count, first, runs } of heads) {
    if (first > index || (runs === null && index >= first + count)) continue;
    const at = runs === null ? index - first : decodeRuns(first, count, runs).indexOf(index);
    if (at >= 0) return { seq: seq + at };
  }
  const last = heads.at(-1);
  return last && heads.length === stride ? { next: last.seq + last.count } : {};
}
