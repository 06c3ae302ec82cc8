import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/rest.ts";
import type { JobRow } from "../../store.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Session } from "../session.ts";

/** Makes a new job wait for those it comes after, or blocks it at once when one of them has failed already. */
export function waitForOthers(session: Session, job: CachedJob): void {
  const others = (job.row.after ?? []).map((id) => session.jobs.need(id));
  for (const { row } of others) {
    const failure = whyNot(row);
    if (failure) return block(session, job, failure);
  }
  wait(session, job, others);
}

/**
 * Lets a blocked job wait anew.
 * @throws PlatformError WRONG_STATE when one of the jobs it comes after is gone, or still stands in its way
 */
export function waitAgain(session: Session, job: CachedJob): void {
  const others = (job.row.after ?? []).map((id) => {
    const other = session.jobs.find(id);
    const failure = other ? whyNot(other.row) : `Job ${id}, which it comes after, was deleted.`;
    if (!other || failure)
      throw new PlatformError(
        "WRONG_STATE",
        `Job ${job.row.id} is still blocked: ${failure} Expected that job to be requeued first, or this one to be submitted again.`,
      );
    return other;
  });
  wait(session, job, others);
}

/**
 * To be called when a job has ended or is forgotten (`deleted`): the jobs that wait for it go on, or are blocked, and so on
 * down the line. Returns jobs that wait for nothing any more.
 */
export function settleDependents(session: Session, ended: CachedJob, deleted = false): CachedJob[] {
  const released: CachedJob[] = [];
  const failure = whyNot(ended.row, deleted);
  leaveQueue(session, ended);
  for (const job of dependentsOf(session, ended)) {
    if (failure === undefined) {
      session.db.run("DELETE FROM waits WHERE job = ? AND after = ?", job.number, ended.number);
      const waitingFor = job.row.waitingFor.filter((id) => id !== ended.row.id);
      session.jobs.change(job, { waitingFor });
      if (waitingFor.length > 0) continue;
      tell(session, job);
      released.push(job);
    } else blockAll(session, job, failure);
  }
  return released;
}

/** Blocks a job and everything that waits for it, however long the chain. */
function blockAll(session: Session, first: CachedJob, failure: string): void {
  const queue = [{ job: first, failure }];
  for (let next = queue.pop(); next; next = queue.pop()) {
    if (next.job.row.state === "blocked") continue;
    block(session, next.job, next.failure);
    const reason = whyNot(next.job.row);
    if (reason) for (const job of dependentsOf(session, next.job)) queue.push({ job, failure: reason });
  }
}

function block(session: Session, job: CachedJob, message: string): void {
  const isOpen = job.row.state === "open" ? 1 : 0;
  session.db.run("UPDATE jobs SET blockedOpen = ? WHERE number = ?", isOpen, job.number);
  const reason: TaskFailure = { index: 0, kind: "blocked", message, attempts: 0 };
  session.jobs.change(job, { state: "blocked", endedAt: session.clock(), reason });
  leaveQueue(session, job);
  tell(session, job);
}

function wait(session: Session, job: CachedJob, others: readonly CachedJob[]): void {
  const open = [...new Set(others.filter(({ row }) => row.endedAt === undefined))];
  if (open.length === 0) return;
  for (const { number } of open)
    session.db.run("INSERT INTO waits (job, after) VALUES (?, ?)", job.number, number);
  session.jobs.change(job, { waitingFor: open.map(({ row }) => row.id) });
}

/** A job that has ended waits for nothing. */
function leaveQueue(session: Session, job: CachedJob): void {
  if (job.row.waitingFor.length === 0) return;
  session.db.run("DELETE FROM waits WHERE job = ?", job.number);
  session.jobs.change(job, { waitingFor: [] });
}

function dependentsOf({ db, jobs }: Session, { number }: CachedJob): CachedJob[] {
  return db
    .all<{ id: JobId }>(
      "SELECT jobs.id FROM waits JOIN jobs ON jobs.number = waits.job WHERE waits.after = ? ORDER BY waits.job",
      number,
    )
    .map(({ id }) => jobs.need(id));
}

/** Why what comes after this job cannot run; undefined while it may. */
function whyNot(row: JobRow, deleted = false): string | undefined {
  const job = `Job ${row.id} ("${row.name}"), which it comes after,`;
  if (deleted && !succeeded(row)) return `${job} was deleted before it finished.`;
  switch (row.state) {
    case "open":
    case "closed":
      return undefined;
    case "finished":
      return row.failed === 0
        ? undefined
        : `${job} finished with ${row.failed} of ${row.total} tasks failed.`;
    case "cancelled":
      return `${job} was cancelled.`;
    case "quarantined":
      return `${job} was quarantined${row.reason ? `: ${row.reason.message}` : "."}`;
    case "blocked":
      // The first cause, not the whole chain: a chain of a thousand jobs has a thousand reasons of one length.
      return row.reason?.message ?? `${job} was blocked.`;
  }
}

function succeeded({ state, failed }: JobRow): boolean {
  return state === "finished" && failed === 0;
}

function tell(session: Session, job: CachedJob): void {
  // Not inside the commit: whoever listens may call the store.
  session.afterCommit(() => queueMicrotask(() => session.dependents(job.row)));
}
