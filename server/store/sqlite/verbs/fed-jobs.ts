import type { JobId } from "../../../../shared/ids.ts";
import type { Database } from "../database.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { stateBefore } from "./reopening.ts";

/** The jobs that each source feeds, by the source's number: a look-up instead of a query for each verb that records outcomes. */
export function readFed(db: Database): Map<number, Set<JobId>> {
  const fed = new Map<number, Set<JobId>>();
  for (const { source, id } of db.all<{ source: number; id: JobId }>(
    "SELECT source, jobs.id FROM feeds JOIN jobs ON jobs.number = feeds.job",
  ))
    add(fed, source, id);
  return fed;
}

/** Lets a new job take the outputs of its source. */
export function addFeed(transaction: Transaction, job: CachedJob): void {
  const { id, inputsFrom } = job.row;
  if (inputsFrom === undefined) return;
  const source = transaction.jobs.need(inputsFrom).number;
  transaction.db.run("INSERT INTO feeds (job, source, seq) VALUES (?, ?, 0)", job.number, source);
  transaction.afterCommit(() => {
    add(transaction.fed, source, id);
    transaction.feed(id);
  });
}

/** Ends the feeding of a job that takes no more outputs, for good. */
export function removeFeed(transaction: Transaction, job: CachedJob): void {
  const { db, fed } = transaction;
  const { id, inputsFrom } = job.row;
  if (inputsFrom === undefined) return;
  const row = db.get<{ source: number }>("DELETE FROM feeds WHERE job = ? RETURNING source", job.number);
  if (!row) return;
  transaction.afterCommit(() => {
    const jobs = fed.get(row.source);
    jobs?.delete(id);
    if (jobs?.size === 0) fed.delete(row.source);
  });
}

/** Passes new outcomes of a job on to the jobs that it feeds, after the commit. */
export function passOn(transaction: Transaction, { number }: CachedJob): void {
  const jobs = transaction.fed.get(number);
  if (jobs) transaction.afterCommit(() => jobs.forEach(transaction.feed));
}

/** The jobs that a job feeds, as of the last commit. */
export function fedIds({ jobs, fed }: Transaction, source: JobId): JobId[] {
  const job = jobs.find(source);
  return job ? [...(fed.get(job.number) ?? [])] : [];
}

/** The jobs that a job feeds, those that this transaction made included. */
export function fedBy({ db, jobs }: Transaction, { number }: CachedJob): CachedJob[] {
  return db
    .all<{ id: JobId }>(
      "SELECT jobs.id FROM feeds JOIN jobs ON jobs.number = feeds.job WHERE source = ? ORDER BY feeds.job",
      number,
    )
    .map(({ id }) => jobs.need(id));
}

/** Whether outcomes of its source are still to be passed on to a fed job, now or once requeueing has opened the job again. */
export function takesMore(transaction: Transaction, job: CachedJob): boolean {
  const { state } = job.row;
  if (state === "blocked" || state === "quarantined") return stateBefore(transaction, job) === "open";
  return state === "open";
}

/** The source of a job that takes more outputs; `undefined` for any other job, `null` when the source was deleted. */
export function sourceOf(transaction: Transaction, job: CachedJob): CachedJob | null | undefined {
  if (job.row.inputsFrom === undefined || !takesMore(transaction, job)) return undefined;
  const row = transaction.db.get<{ id: JobId | null }>(
    "SELECT jobs.id FROM feeds LEFT JOIN jobs ON jobs.number = source WHERE feeds.job = ?",
    job.number,
  );
  return row?.id ? transaction.jobs.need(row.id) : null;
}

function add(fed: Map<number, Set<JobId>>, source: number, id: JobId): void {
  const jobs = fed.get(source);
  if (jobs) jobs.add(id);
  else fed.set(source, new Set([id]));
}
