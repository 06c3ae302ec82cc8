import type { JobId } from "../../../../shared/ids.ts";
import { hashColumn } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { settleDependents } from "./dependents.ts";
import { dropReference } from "./blob-owners.ts";
import { dropClaims } from "./drop-claims.ts";
import type { Step } from "../database.ts";

/** Rows removed between two readings of the clock: of packs, 5 MiB at most (3 ms). */
const stride = 200;
const packStride = 20;
/** A sweep delays other work for at most this long, and the commit, which may have a checkpoint with it, for 5 to 30 ms. */
const sweepMs = 5;

/**
 * Makes the job vanish at once; sweeps remove its rows later.
 * @param regardless - false: a job that feeds others is left, and they are returned, to be fed first
 * @returns the number to sweep, undefined when there was no job
 */
export function* forgetJob(
  transaction: Transaction,
  id: JobId,
  regardless: boolean,
): Step<{ number: number | undefined; feeds: readonly JobId[] }> {
  const { db, jobs } = transaction;
  const job = yield* jobs.find(id);
  if (!job) return { number: undefined, feeds: [] };
  if (!regardless && job.fed.size > 0) return { number: undefined, feeds: [...job.fed] };
  yield* settleDependents(transaction, job, true);
  jobs.forget(id);
  db.write("DELETE FROM jobs WHERE number = ?", job.number);
  db.write("INSERT INTO forgottenJobs (number, customer) VALUES (?, ?)", job.number, job.row.customer);
  transaction.usage.jobChanged(job.row, undefined);
  touchKernel(transaction, job);
  transaction.provisional.forget(job);
  dropClaims(transaction, job);
  return { number: job.number, feeds: [] };
}

/** Makes the deletion of the job the last use of its kernel. */
function touchKernel({ db, clock }: Transaction, { row }: CachedJob): void {
  db.write("UPDATE kernels SET touchedAt = ? WHERE sha256 = ?", clock(), hashColumn(row.kernel.sha256));
}

/** Removes rows of a forgotten job for a few milliseconds. @returns true when none are left */
export function* sweepJob(transaction: Transaction, number: number): Step<boolean> {
  const { db } = transaction;
  const until = performance.now() + sweepMs;
  while (yield* sweepReferences(transaction, number)) if (performance.now() > until) return false;
  for (const sql of sweeps)
    while ((yield* db.run(sql, number)) > 0) if (performance.now() > until) return false;
  db.write("DELETE FROM forgottenJobs WHERE number = ?", number);
  return true;
}

/** Jobs whose sweep the end of the server interrupted. */
export function* forgottenJobs({ db }: Transaction): Step<number[]> {
  return (yield* db.all<{ number: number }>("SELECT number FROM forgottenJobs")).map(({ number }) => number);
}

const sweeps = [
  sweep("outcomePacks", "seq", packStride),
  sweep("taskPacks", "first", packStride),
  sweep("endedSets", "job", 1),
  sweep("attempts", "idx", stride),
  sweep("checkpoints", "idx", packStride),
  sweep("provisionalPacks", "window", packStride),
  sweep("inputless", "idx", stride),
  sweep("attachments", "name", 1),
  sweep("jobCosts", "job", 1),
];

/** Removes references to blobs, which then no longer count to the customer. @returns whether there were any */
function* sweepReferences(transaction: Transaction, number: number): Step<boolean> {
  const { db } = transaction;
  const found = yield* db.get<{ customer: string | null }>(
    "SELECT customer FROM forgottenJobs WHERE number = ? FOR UPDATE",
    number,
  );
  if (!found) return false;
  const rows = yield* db.all<{ sha256: Uint8Array }>(
    "SELECT sha256 FROM blobRefs WHERE job = ? LIMIT ?",
    number,
    stride,
  );
  for (const { sha256 } of rows) {
    db.write("DELETE FROM blobRefs WHERE job = ? AND sha256 = ?", number, sha256);
    // A job that an earlier version forgot is in no customer's usage.
    if (found.customer) yield* dropReference(transaction, sha256, found.customer);
  }
  return rows.length > 0;
}

function sweep(table: string, column: string, rows: number): string {
  return `DELETE FROM ${table} WHERE job = ?1 AND ${column} <=
    (SELECT max(${column}) FROM (SELECT ${column} FROM ${table} WHERE job = ?1 ORDER BY ${column} LIMIT ${rows}) AS part)`;
}
