import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { ClaimedTask } from "../../store.ts";
import { JobClaims } from "../claims.ts";
import { readPayload, readRefs } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Session } from "../session.ts";
import { isActive } from "./ending.ts";

interface TaskColumns {
  readonly idx: TaskIndex;
  readonly input: Uint8Array | string;
  readonly refs: string | null;
}

/** Tasks looked at before other work gets its turn: about 10 ms when all of them have ended (1 µs each). */
const stride = 10_000;

/**
 * Claims tasks as far as one stride goes. `more` tells that the walk has not come to its end, so that fewer tasks than
 * `limit` do not mean that there are no more: call again.
 */
export function claimStride(
  session: Session,
  id: JobId,
  limit: number,
): { tasks: ClaimedTask[]; more: boolean } {
  const job = session.jobs.need(id);
  if (!isActive(job) || job.row.waitingFor.length > 0 || limit < 1) return { tasks: [], more: false };
  let claims = session.claims.get(job.number);
  if (!claims) {
    claims = new JobClaims(job.lowWater);
    session.claims.set(job.number, claims);
  }
  const tasks: ClaimedTask[] = [];
  const take = (columns: TaskColumns | undefined) => {
    if (!columns || claims.has(columns.idx)) return;
    claims.add(columns.idx);
    tasks.push(claimed(session, job, columns));
  };
  while (tasks.length < limit) {
    const index = claims.takeReturned();
    if (index === undefined) break;
    take(readOpen(session, job, index));
  }
  const more = tasks.length < limit && walk(session, job, claims, limit - tasks.length, take);
  return { tasks, more };
}

/** Walks on from the cursor; tells whether there is more to walk. */
function walk(
  { db }: Session,
  job: CachedJob,
  claims: JobClaims,
  limit: number,
  take: (columns: TaskColumns) => void,
): boolean {
  const from = claims.cursor;
  const rows = db.all<TaskColumns>(
    `SELECT idx, input, refs FROM
       (SELECT idx, input, refs FROM tasks WHERE job = ?1 AND idx >= ?2 ORDER BY idx LIMIT ?4) AS task
     WHERE NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.job = ?1 AND outcomes.idx = task.idx)
     ORDER BY idx LIMIT ?3`,
    job.number,
    from,
    limit,
    stride,
  );
  for (const row of rows) take(row);
  if (rows.length === limit) {
    claims.cursor = rows.at(-1)!.idx + 1;
    return true;
  }
  const end = db.get<{ last: TaskIndex | null; looked: number }>(
    `SELECT max(idx) AS last, count(*) AS looked FROM
       (SELECT idx FROM tasks WHERE job = ? AND idx >= ? ORDER BY idx LIMIT ?)`,
    job.number,
    from,
    stride,
  );
  if (end?.last != null) claims.cursor = end.last + 1;
  return end?.looked === stride;
}

function readOpen({ db }: Session, job: CachedJob, index: TaskIndex): TaskColumns | undefined {
  return db.get<TaskColumns>(
    `SELECT idx, input, refs FROM tasks WHERE job = ?1 AND idx = ?2
       AND NOT EXISTS (SELECT 1 FROM outcomes WHERE job = ?1 AND idx = ?2)`,
    job.number,
    index,
  );
}

function claimed({ db }: Session, job: CachedJob, { idx, input, refs }: TaskColumns): ClaimedTask {
  const task = { index: idx, input: readPayload(input), refs: readRefs(refs) };
  if (!job.hasSideRows) return { ...task, attempts: 0, checkpoint: undefined };
  const side = db.get<{ attempts: number | null; state: Uint8Array | null }>(
    `SELECT (SELECT attempts FROM attempts WHERE job = ?1 AND idx = ?2) AS attempts,
            (SELECT state FROM checkpoints WHERE job = ?1 AND idx = ?2) AS state`,
    job.number,
    idx,
  );
  return { ...task, attempts: side?.attempts ?? 0, checkpoint: side?.state ?? undefined };
}
