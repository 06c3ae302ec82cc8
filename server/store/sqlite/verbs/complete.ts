import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { JobRow, NewOutcome } from "../../store.ts";
import { blobsOf, payloadColumn, refsColumn } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Session } from "../session.ts";
import { finishIfEnded, isActive } from "./ending.ts";
import { keepBlobs } from "./keep-blobs.ts";

export function complete(
  session: Session,
  id: JobId,
  outcomes: readonly NewOutcome[],
): { accepted: TaskIndex[]; dropped: TaskIndex[]; job: JobRow } {
  const job = session.jobs.need(id);
  const accepted: TaskIndex[] = [];
  const dropped: TaskIndex[] = [];
  const counts = { done: 0, failed: 0 };
  const active = isActive(job);
  for (const outcome of outcomes) {
    const seq = job.row.lastSeq + accepted.length + 1;
    if (!(active && exists(session, job, outcome.index) && record(session, job, seq, outcome)))
      dropped.push(outcome.index);
    else {
      accepted.push(outcome.index);
      counts[outcome.state]++;
    }
  }
  if (accepted.length > 0) {
    const { done, failed, lastSeq } = job.row;
    session.jobs.change(job, {
      done: done + counts.done,
      failed: failed + counts.failed,
      lastSeq: lastSeq + accepted.length,
    });
    if (job.hasSideRows) for (const index of accepted) dropSideRows(session, job, index);
    moveMark(session, job, accepted.length);
    finishIfEnded(session, job);
  }
  releaseClaims(session, job, outcomes);
  return { accepted, dropped, job: job.row };
}

/** A claim proves that the task exists without a look at the disk. */
function exists({ db, claims }: Session, job: CachedJob, index: TaskIndex): boolean {
  if (claims.get(job.number)?.has(index)) return true;
  return db.get("SELECT 1 FROM tasks WHERE job = ? AND idx = ?", job.number, index) !== undefined;
}

/** False when the task has an outcome already: UNIQUE (job, idx) decides. */
function record(session: Session, job: CachedJob, seq: number, outcome: NewOutcome): boolean {
  const done = outcome.state === "done";
  const recorded = session.db.run(
    `INSERT INTO outcomes (job, seq, idx, output, refs, failure) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (job, idx) DO NOTHING`,
    job.number,
    seq,
    outcome.index,
    done ? payloadColumn(outcome.output) : null,
    done ? refsColumn(outcome.refs) : null,
    done ? null : JSON.stringify(outcome.failure),
  );
  if (recorded === 0) return false;
  if (done) keepBlobs(session, job.number, blobsOf(outcome.output, outcome.refs));
  return true;
}

function dropSideRows({ db }: Session, job: CachedJob, index: TaskIndex): void {
  db.run("DELETE FROM attempts WHERE job = ? AND idx = ?", job.number, index);
  db.run("DELETE FROM checkpoints WHERE job = ? AND idx = ?", job.number, index);
}

/** The mark stays behind the claims as they were before this transaction: it may be too low, never too high. */
function moveMark(session: Session, job: CachedJob, outcomes: number): void {
  job.outcomesSinceMark += outcomes;
  const claims = session.claims.get(job.number);
  if (!claims || job.outcomesSinceMark < session.markEvery || session.reopened.has(job.number)) return;
  session.jobs.mark(job, claims.lowWater());
}

function releaseClaims(session: Session, job: CachedJob, outcomes: readonly NewOutcome[]): void {
  const claims = session.claims.get(job.number);
  if (!claims) return;
  session.afterCommit(() => {
    for (const { index } of outcomes) claims.release(index);
  });
}
