import type { JobId } from "../../../../shared/ids.ts";
import { hashColumn } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { settleDependents } from "./dependents.ts";
import { dropReference } from "./blob-owners.ts";
import { dropClaims } from "./drop-claims.ts";

/** Rows removed between two readings of the clock: of packs, 5 MiB at most (3 ms). */
const stride = 200;
const packStride = 20;
/** A sweep delays other work for at most this long. */
const sweepMs = 10;

/** Makes the job vanish at once; sweeps remove its rows later. @returns the number to sweep, undefined when there was no job */
export function forgetJob(transaction: Transaction, id: JobId): number | undefined {
  const { db, jobs } = transaction;
  const job = jobs.find(id);
  if (!job) return undefined;
  settleDependents(transaction, job, true);
  jobs.forget(id);
  db.run("DELETE FROM jobs WHERE number = ?", job.number);
  db.run("INSERT INTO forgottenJobs (number, customer) VALUES (?, ?)", job.number, job.row.customer);
  transaction.usage.jobChanged(job.row, undefined);
  touchKernel(transaction, job);
  transaction.provisional.forget(job);
  dropClaims(transaction, job);
  return job.number;
}

/** Makes the deletion of the job the last use of its kernel. */
function touchKernel({ db, clock }: Transaction, { row }: CachedJob): void {
  db.run("UPDATE kernels SET touchedAt = ? WHERE sha256 = ?", clock(), hashColumn(row.kernel.sha256));
}

/** Removes rows of a forgotten job for a few milliseconds. @returns true when none are left */
export function sweepJob(transaction: Transaction, number: number): boolean {
  const { db } = transaction;
  const until = performance.now() + sweepMs;
  while (sweepReferences(transaction, number)) if (performance.now() > until) return false;
  for (const sql of sweeps) while (db.run(sql, number) > 0) if (performance.now() > until) return false;
  db.run("DELETE FROM forgottenJobs WHERE number = ?", number);
  return true;
}

/** Jobs whose sweep the end of the server interrupted. */
export function forgottenJobs({ db }: Transaction): number[] {
  return db.all<{ number: number }>("SELECT number FROM forgottenJobs").map(({ number }) => number);
}

const sweeps = [
  sweep("outcomePacks", "seq", packStride),
  sweep("taskPacks", "first", packStride),
  sweep("endedSets", "job", 1),
  sweep("attempts", "idx", stride),
  sweep("checkpoints", "idx", packStride),
  sweep("provisionalPacks", "window", packStride),
  sweep("inputless", "idx", stride),
];

/** Removes references to blobs, which then no longer count to the customer. @returns whether there were any */
function sweepReferences(transaction: Transaction, number: number): boolean {
  const { db } = transaction;
  const found = db.get<{ customer: string | null }>(
    "SELECT customer FROM forgottenJobs WHERE number = ?",
    number,
  );
  const rows = db.all<{ sha256: Uint8Array }>(
    "SELECT sha256 FROM blobRefs WHERE job = ? LIMIT ?",
    number,
    stride,
  );
  for (const { sha256 } of rows) {
    db.run("DELETE FROM blobRefs WHERE job = ? AND sha256 = ?", number, sha256);
    // A job that an earlier version forgot is in no customer's usage.
    if (found?.customer) dropReference(transaction, sha256, found.customer);
  }
  return rows.length > 0;
}

function sweep(table: string, column: string, rows: number): string {
  return `DELETE FROM ${table} WHERE job = ?1 AND ${column} <=
    (SELECT max(${column}) FROM (SELECT ${column} FROM ${table} WHERE job = ?1 ORDER BY ${column} LIMIT ${rows}))`;
}
