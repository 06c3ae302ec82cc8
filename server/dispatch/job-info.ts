import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { JobCounts, JobInfo, JobProgress } from "../../shared/wire/rest/jobs.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { rangeOfEnd } from "./estimate.ts";
import type { JobRow } from "../store/store.ts";

/** Most failures shown of a job. */
export const failuresShown = 20;

/** A job as customers and the status page see it. */
export function describeJob(row: JobRow, standing: Standing, failures: readonly TaskFailure[]): JobInfo {
  const {
    total: _total,
    done: _done,
    failed: _failed,
    submittedAt: _submittedAt,
    provisional: _,
    ...rest
  } = row;
  const { reason, endedAt, portable: _portable, ...shown } = rest;
  return {
    ...shown,
    ...progressOf(row, standing),
    // The reason of the whole job's end stands last.
    failures: reason ? [...failures.slice(0, failuresShown - 1), reason] : failures.slice(0, failuresShown),
    endedAt: endedAt ?? null,
  };
}

/** State of a job beside its row. */
interface Standing {
  /** Number of leased tasks. */
  readonly running: number;
  /** Sum of the fractions of leased tasks. */
  readonly done: number;
  /** Finished tasks a second. */
  readonly rate: number;
  /** Finished tasks of each of the last seconds, as far as they were counted. */
  readonly measured: readonly number[];
  readonly quotaFull: boolean;
  /** Data of the job that has to be put again. */
  readonly missingData: readonly Sha256[];
}

/** The progress of a job: counts, rate and estimated end. */
export function progressOf(
  row: JobRow,
  { running, done, rate, measured, quotaFull, missingData }: Standing,
): JobProgress {
  const { state, paused, waitingFor, statement, endedAt } = row;
  const counts = countTasks(row, running);
  const left = counts.queued + counts.running;
  const range = paused || quotaFull || endedAt !== undefined ? undefined : rangeOfEnd(measured, left);
  return {
    state,
    paused,
    waitingFor: [...waitingFor],
    quotaFull: quotaFull && endedAt === undefined,
    missingData: [...missingData],
    counts,
    statement,
    fraction: fractionOf(counts, done, endedAt !== undefined),
    rate,
    estimatedMs: left === 0 ? 0 : rate > 0 && !paused && !quotaFull ? (left / rate) * 1000 : null,
    ...(range && { estimatedRangeMs: [...range] }),
  };
}

/** A job without tasks is at 0 until it has ended. */
function fractionOf(counts: JobCounts, doneOfRunning: number, hasEnded: boolean): number {
  if (hasEnded) return 1;
  if (counts.total === 0) return 0;
  const ended = counts.done + counts.failed + counts.cancelled + counts.provisional;
  return (ended + Math.min(doneOfRunning, counts.running)) / counts.total;
}

/** Tasks by state; the state of the job decides about tasks without an outcome. */
function countTasks(row: JobRow, running: number): JobCounts {
  const { total, done, failed, state } = row;
  const open = total - done - failed;
  const ended = { total, done, queued: 0, running: 0, provisional: 0 };
  if (state === "cancelled") return { ...ended, failed, cancelled: open };
  if (state === "quarantined" || state === "blocked")
    return { ...ended, failed: failed + open, cancelled: 0 };
  const provisional = Math.min(row.provisional, open);
  const busy = Math.min(running, open - provisional);
  return { total, queued: open - provisional - busy, running: busy, provisional, done, failed, cancelled: 0 };
}
