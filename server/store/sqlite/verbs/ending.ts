import type { CachedJob } from "../job-cache.ts";
import type { Session } from "../session.ts";

/** A closed job whose tasks have all ended is finished. */
export function finishIfEnded(session: Session, job: CachedJob): void {
  const { state, done, failed, total } = job.row;
  if (state !== "closed" || done + failed < total) return;
  session.jobs.change(job, { state: "finished", endedAt: session.clock() });
  dropClaims(session, job);
}

/** Nothing of this job will be claimed again, unless it is reopened. */
export function dropClaims(session: Session, job: CachedJob): void {
  session.afterCommit(() => session.claims.delete(job.number));
}

/** Whether the job's open tasks may be computed. */
export function isActive({ row }: CachedJob): boolean {
  return row.state === "open" || row.state === "closed";
}
