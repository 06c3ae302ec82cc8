import type { JobId } from "../../../../shared/ids.ts";
import type { Transaction } from "../transaction.ts";
import { settleDependents } from "./dependents.ts";
import { dropClaims } from "./ending.ts";

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
  db.run("INSERT INTO forgottenJobs (number) VALUES (?)", job.number);
  dropClaims(transaction, job);
  return job.number;
}

/** Removes rows of a forgotten job for a few milliseconds; true when none are left. */
export function sweepJob({ db }: Transaction, number: number): boolean {
  const until = performance.now() + sweepMs;
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
  sweep("blobRefs", "sha256", stride),
];

function sweep(table: string, column: string, rows: number): string {
  return `DELETE FROM ${table} WHERE job = ?1 AND ${column} <=
    (SELECT max(${column}) FROM (SELECT ${column} FROM ${table} WHERE job = ?1 ORDER BY ${column} LIMIT ${rows}))`;
}
