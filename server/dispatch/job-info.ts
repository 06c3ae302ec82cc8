import type { JobCounts, JobInfo, TaskFailure } from "../../shared/rest.ts";
import type { JobRow } from "../store/store.ts";

/** A job as customers and the status page see it. */
export function describeJob(
  row: JobRow,
  running: number,
  rate: number,
  failures: readonly TaskFailure[],
): JobInfo {
  const { total: _total, done: _done, failed: _failed, reason, endedAt, waitingFor, ...shown } = row;
  const counts = countTasks(row, running);
  const left = counts.queued + counts.running;
  return {
    ...shown,
    waitingFor: [...waitingFor],
    counts,
    rate,
    estimatedMs: left === 0 ? 0 : rate > 0 && !row.paused ? (left / rate) * 1000 : null,
    // The reason that the job as a whole ended stands last.
    failures: reason ? [...failures.slice(0, 19), reason] : failures.slice(0, 20),
    endedAt: endedAt ?? null,
  };
}

/** Tasks by state; what has no outcome follows from the state of the job. */
export function countTasks(row: JobRow, running: number): JobCounts {
  const { total, done, failed, state } = row;
  const open = total - done - failed;
  const ended = { total, done, queued: 0, running: 0 };
  if (state === "cancelled") return { ...ended, failed, cancelled: open };
  if (state === "quarantined" || state === "blocked")
    return { ...ended, failed: failed + open, cancelled: 0 };
  const busy = Math.min(running, open);
  return { total, queued: open - busy, running: busy, done, failed, cancelled: 0 };
}
