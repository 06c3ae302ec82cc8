import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Session } from "../session.ts";
import { isActive } from "./ending.ts";

/** Says nothing about tasks that have ended or never were: the count no longer matters. */
export function recordAttempts(
  { db, jobs }: Session,
  id: JobId,
  attempts: readonly { index: TaskIndex; attempts: number }[],
): void {
  const job = jobs.find(id);
  if (!job || !isActive(job)) return;
  for (const { index, attempts: count } of attempts) {
    const recorded = db.run(
      `INSERT INTO attempts (job, idx, attempts) SELECT ?1, ?2, ?3
       WHERE EXISTS (SELECT 1 FROM tasks WHERE job = ?1 AND idx = ?2)
         AND NOT EXISTS (SELECT 1 FROM outcomes WHERE job = ?1 AND idx = ?2)
       ON CONFLICT (job, idx) DO UPDATE SET attempts = excluded.attempts`,
      job.number,
      index,
      count,
    );
    if (recorded > 0) job.hasSideRows = true;
  }
}
