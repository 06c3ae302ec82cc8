import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Session } from "../session.ts";
import { isActive } from "./ending.ts";

/** A checkpoint of a task that has ended is not kept. */
export function checkpoint({ db, jobs }: Session, id: JobId, index: TaskIndex, state: Uint8Array): void {
  const job = jobs.find(id);
  if (!job || !isActive(job)) return;
  const kept = db.run(
    `INSERT INTO checkpoints (job, idx, state) SELECT ?1, ?2, ?3
     WHERE EXISTS (SELECT 1 FROM tasks WHERE job = ?1 AND idx = ?2)
       AND NOT EXISTS (SELECT 1 FROM outcomes WHERE job = ?1 AND idx = ?2)
     ON CONFLICT (job, idx) DO UPDATE SET state = excluded.state`,
    job.number,
    index,
    state,
  );
  if (kept > 0) job.hasSideRows = true;
}
