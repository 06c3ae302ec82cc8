import { isDeepStrictEqual } from "node:util";
import { PlatformError } from "../../../../shared/errors.ts";
import { hints } from "../../../../shared/hints.ts";
import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow, NewJob } from "../../store.ts";
import { hashColumn } from "../columns.ts";
import type { Transaction } from "../transaction.ts";
import { waitForOthers } from "./dependents.ts";
import { addFeed } from "./fed-jobs.ts";
import type { Step } from "../database.ts";

export function* createJob(transaction: Transaction, job: NewJob): Step<{ job: JobRow; created: boolean }> {
  const { db, jobs } = transaction;
  const earlier = yield* findEarlier(transaction, job);
  if (earlier) return { job: earlier, created: false };
  for (const before of job.after ?? []) yield* mustExist(transaction, before, "is to run after");
  if (job.inputsFrom) yield* mustExist(transaction, job.inputsFrom, "takes the outputs of");
  yield* mustHaveKernel(transaction, job);
  yield* transaction.usage.mustFit(job.customer, { jobs: 1 });
  const { id, customer, key, kernel, priority, createdAt, ...options } = job;
  db.write(
    `INSERT INTO jobs (id, customer, key, kernel, kernelSize, options, priority, createdAt, submittedAt, jobGroup)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    customer,
    key ?? null,
    hashColumn(kernel.sha256),
    kernel.size,
    JSON.stringify(options),
    priority,
    createdAt,
    createdAt,
    options.group ?? null,
  );
  const made = yield* jobs.need(id);
  transaction.usage.jobChanged(undefined, made.row);
  jobs.touch(made);
  yield* addFeed(transaction, made);
  yield* waitForOthers(transaction, made);
  return { job: made.row, created: true };
}

/** Checks the kernel inside the transaction, so that no deletion comes in between. @throws PlatformError UNKNOWN_KERNEL */
function* mustHaveKernel({ db }: Transaction, { kernel, customer }: NewJob): Step<void> {
  const { sha256 } = kernel;
  db.holdings("share");
  if (
    !(yield* db.get(
      "SELECT 1 FROM kernelOwners WHERE sha256 = ? AND customer = ?",
      hashColumn(sha256),
      customer,
    ))
  )
    throw new PlatformError("UNKNOWN_KERNEL", `Customer "${customer}" has posted no kernel ${sha256} here.`);
}

function* mustExist({ jobs }: Transaction, other: JobId, relation: string): Step<void> {
  if (!(yield* jobs.find(other)))
    throw new PlatformError(
      "NOT_FOUND",
      `This job ${relation} job ${other}, and there is no such job. Expected jobs that exist.`,
      undefined,
      hints.job,
    );
}

function* findEarlier({ db, jobs }: Transaction, job: NewJob): Step<JobRow | undefined> {
  const { id, customer, key, kernel } = job;
  const found = yield* db.get<{ id: NewJob["id"]; options: string }>(
    "SELECT id, options FROM jobs WHERE (customer = ? AND key = ?) OR id = ?",
    customer,
    key ?? null,
    id,
  );
  if (!found) return undefined;
  const { row } = yield* jobs.need(found.id);
  if (row.customer !== customer || row.key !== key)
    throw new PlatformError("CONFLICT", `The job id ${id} is taken by another job.`);
  if (row.kernel.sha256 !== kernel.sha256)
    throw new PlatformError(
      "CONFLICT",
      `The key "${key}" stands for job ${row.id} with kernel ${row.kernel.sha256.slice(0, 12)}…; this request has kernel ${kernel.sha256.slice(0, 12)}…. Expected the same kernel, or another key.`,
    );
  // The row has these options as they were changed last. A job of an earlier version was made without them.
  const {
    verify = job.verify,
    compare = job.compare,
    check = job.check,
  } = JSON.parse(found.options) as Partial<NewJob>;
  const made = { ...row, verify, compare, check };
  const differing = comparedOptions.filter((option) => !isDeepStrictEqual(job[option], made[option]));
  if (differing.length > 0)
    throw new PlatformError(
      "CONFLICT",
      `The key "${key}" stands for job ${row.id} with ${describe(made, differing)}; this request has ${describe(job, differing)}. Expected the same options, or another key.`,
    );
  return row;
}

/** Options that decide how tasks are computed and end. Name and priority are for people, and may change while the job runs. */
const comparedOptions = [
  "seed",
  "maxAttempts",
  "timeoutMs",
  "memoryMb",
  "requires",
  "signature",
  "failFast",
  "math",
  "verify",
  "compare",
  "check",
  "group",
  "after",
  "inputsFrom",
  "outputsPerTask",
] as const;

function describe(job: NewJob, options: readonly (typeof comparedOptions)[number][]): string {
  return options.map((option) => `${option} ${JSON.stringify(job[option]) ?? "not given"}`).join(", ");
}
