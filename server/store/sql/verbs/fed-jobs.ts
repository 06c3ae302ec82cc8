import type { JobId } from "../../../../shared/ids.ts";
import type { Step } from "../database.ts";
import type { JobRow } from "../../store.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { stateBefore } from "./reopening.ts";

/** Outcome of passing outputs on to a fed job once. */
export interface Fed {
  /** The row of the fed job when the job changed. */
  readonly job: JobRow | undefined;
  /** `more`: call again; `full`: the quota leaves no room; `all`: nothing is left to pass on now. */
  readonly left: "more" | "full" | "all";
}

/** Every job that is fed. */
export function* allFed({ db }: Transaction): Step<JobId[]> {
  const rows = yield* db.all<{ id: JobId }>("SELECT jobs.id FROM feeds JOIN jobs ON jobs.number = feeds.job");
  return rows.map(({ id }) => id);
}

/** Lets a new job take the outputs of its source. */
export function* addFeed(transaction: Transaction, job: CachedJob): Step<void> {
  const { db, jobs } = transaction;
  const { id, inputsFrom } = job.row;
  if (inputsFrom === undefined) return;
  const source = yield* jobs.need(inputsFrom);
  db.write("INSERT INTO feeds (job, source, seq) VALUES (?, ?, 0)", job.number, source.number);
  source.fed.add(id);
  jobs.touch(source);
  transaction.afterCommit(() => transaction.feed(id));
}

/** Ends the feeding of a job that takes no more outputs, for good. */
export function* removeFeed(transaction: Transaction, job: CachedJob): Step<void> {
  const { db, jobs } = transaction;
  const { id, inputsFrom } = job.row;
  if (inputsFrom === undefined || (yield* db.run("DELETE FROM feeds WHERE job = ?", job.number)) === 0)
    return;
  const source = yield* jobs.find(inputsFrom);
  if (!source) return;
  source.fed.delete(id);
  jobs.touch(source);
}

/** Passes new outcomes of a job on to the jobs that it feeds, after the commit. */
export function passOn(transaction: Transaction, { fed }: CachedJob): void {
  if (fed.size > 0) transaction.afterCommit(() => fed.forEach(transaction.feed));
}

/** The jobs that a job feeds, in the order in which they were made. */
export function* fedBy({ db, jobs }: Transaction, { number, fed }: CachedJob): Step<CachedJob[]> {
  if (fed.size === 0) return [];
  const rows = yield* db.all<{ id: JobId }>(
    "SELECT jobs.id FROM feeds JOIN jobs ON jobs.number = feeds.job WHERE source = ? ORDER BY feeds.job",
    number,
  );
  const found: CachedJob[] = [];
  for (const { id } of rows) found.push(yield* jobs.need(id));
  return found;
}

/** Whether outcomes of its source are still to be passed on to a fed job, now or once requeueing has opened the job again. */
export function* takesMore(transaction: Transaction, job: CachedJob): Step<boolean> {
  const { state } = job.row;
  if (state === "blocked" || state === "quarantined")
    return (yield* stateBefore(transaction, job)) === "open";
  return state === "open";
}

/** The source of a job that takes more outputs; `undefined` for any other job, `null` when the source was deleted. */
export function* sourceOf(transaction: Transaction, job: CachedJob): Step<CachedJob | null | undefined> {
  if (job.row.inputsFrom === undefined || !(yield* takesMore(transaction, job))) return undefined;
  const row = yield* transaction.db.get<{ id: JobId | null }>(
    "SELECT jobs.id FROM feeds LEFT JOIN jobs ON jobs.number = source WHERE feeds.job = ?",
    job.number,
  );
  return row?.id ? yield* transaction.jobs.need(row.id) : null;
}
