import { PlatformError } from "../../../../shared/errors.ts";
import type { BlobName } from "../../../../shared/data-reference.ts";
import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Payload } from "../../../../shared/wire/protocol.ts";
import type { NewTask } from "../../store.ts";
import { damagedError } from "../checksum.ts";
import { blobsOf } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { ownedBlob } from "./blob-owners.ts";
import { keepBlobs } from "./keep-blobs.ts";
import type { Step } from "../database.ts";

/** Repeated tasks are recorded at most this often: they show that the job's customer is still there. */
const repeatGrainMs = 3_600_000;

export function* submit(
  transaction: Transaction,
  id: JobId,
  tasks: readonly NewTask[],
): Step<{ added: number; repeated: number; total: number }> {
  const { jobs } = transaction;
  const job = yield* jobs.need(id);
  mustNotBeFed(job);
  const fresh = yield* withoutRepeats(transaction, job, tasks);
  if (fresh.length > 0) {
    mustBeOpen(job);
    yield* mustBeThere(transaction, job, blobsIn(fresh));
    yield* transaction.usage.mustFit(job.row.customer, { bytes: bytesOf(fresh), openTasks: fresh.length });
    yield* addTasks(transaction, job, fresh);
  } else if (job.row.state === "open" && transaction.clock() - job.row.submittedAt > repeatGrainMs)
    jobs.change(job, { submittedAt: transaction.clock() });
  return { added: fresh.length, repeated: tasks.length - fresh.length, total: job.row.total };
}

/** Stores new tasks, lowest index first. */
export function* addTasks(transaction: Transaction, job: CachedJob, tasks: readonly NewTask[]): Step<void> {
  pack(transaction, job, tasks);
  yield* keepBlobs(transaction, job, blobsIn(tasks));
  transaction.jobs.change(job, {
    total: job.row.total + tasks.length,
    inputBytes: job.row.inputBytes + bytesOf(tasks),
    submittedAt: transaction.clock(),
  });
  yield* open(transaction, job, tasks);
}

/** Loops over tasks are in functions that cannot wait, because the engine runs those faster. */
function pack({ tasks: packs }: Transaction, { number }: CachedJob, tasks: readonly NewTask[]): void {
  for (const { index, input, refs } of tasks) packs.add(number, index, input, refs);
}

function* blobsIn(tasks: readonly NewTask[]): Iterable<BlobName> {
  for (const { input, refs } of tasks) yield* blobsOf(input, refs);
}

/** Bytes of inputs outside blobs. */
function bytesOf(tasks: readonly NewTask[]): number {
  return tasks.reduce((sum, { input }) => sum + (input instanceof Uint8Array ? input.length : 0), 0);
}

/** The tasks that are new, lowest index first. @throws PlatformError CONFLICT */
function* withoutRepeats(
  transaction: Transaction,
  job: CachedJob,
  tasks: readonly NewTask[],
): Step<readonly NewTask[]> {
  if (goOn(job, tasks)) return tasks;
  const seen = new Map<TaskIndex, Payload>();
  const fresh: NewTask[] = [];
  for (const one of tasks) {
    const { index, input } = one;
    const known = seen.get(index) ?? (yield* storedInput(transaction, job, index));
    if (known === "damaged") throw damagedError({ what: "inputs", job: job.row.id, tasks: [index] });
    if (known === undefined) {
      seen.set(index, input);
      fresh.push(one);
    } else if (!equal(known, input))
      throw new PlatformError(
        "CONFLICT",
        `Task ${index} of job ${job.row.id} was submitted with another input. Expected the same input, or an index that is free (${job.nextIndex} is).`,
      );
  }
  return fresh.sort((a, b) => a.index - b.index);
}

/** Whether all tasks come after the job's, in order. This is the usual case, and leaves no inputs to compare. */
function goOn(job: CachedJob, tasks: readonly NewTask[]): boolean {
  let next = job.nextIndex;
  for (const { index } of tasks) {
    if (index < next) return false;
    next = index + 1;
  }
  return true;
}

function* storedInput({ tasks }: Transaction, job: CachedJob, index: TaskIndex) {
  return index >= job.nextIndex ? undefined : yield* tasks.input(job.number, index);
}

function equal(a: Payload, b: Payload): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  return !(b instanceof Uint8Array) && a.sha256 === b.sha256 && a.size === b.size;
}

function mustNotBeFed({ row: { id, inputsFrom } }: CachedJob): void {
  if (inputsFrom !== undefined)
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${id} takes its inputs from the outputs of job ${inputsFrom}, and no others. Expected a job without inputsFrom.`,
    );
}

function mustBeOpen({ row }: CachedJob): void {
  if (row.state !== "open")
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${row.id} is ${row.state} and takes no new tasks. Expected an open job.`,
    );
}

/**
 * Checks that the job's customer has the blobs ([READ-1]), inside the transaction, so that no collection comes in between.
 * @throws PlatformError UNKNOWN_BLOB, BAD_REQUEST
 */
function* mustBeThere(transaction: Transaction, { row }: CachedJob, blobs: Iterable<BlobName>): Step<void> {
  const sizes = new Map<string, number>();
  for (const { sha256, size } of blobs) {
    if (sizes.size === 0) transaction.db.holdings("share");
    const found =
      sizes.get(sha256) ?? (yield* ownedBlob(transaction, sha256, { customer: row.customer }))?.size;
    if (found === undefined)
      throw new PlatformError(
        "UNKNOWN_BLOB",
        `An input refers to blob ${sha256}, which customer "${row.customer}" has not put here.`,
      );
    if (found !== size)
      throw new PlatformError(
        "BAD_REQUEST",
        `An input refers to blob ${sha256} as one of ${size} bytes; it has ${found}. Expected the reference that putting it gave.`,
      );
    sizes.set(sha256, size);
  }
}

/** Notes new tasks that the walk of the claims has passed. */
function* open(transaction: Transaction, job: CachedJob, fresh: readonly NewTask[]): Step<void> {
  const lowest = count(job, fresh);
  if (lowest < job.lowWater) transaction.jobs.mark(job, lowest);
  const claims = yield* transaction.claims.find(job);
  if (!claims || lowest >= claims.cursor) return;
  transaction.reopened.add(job.number);
  yield* transaction.claims.change(job, (held) => {
    for (const { index } of fresh) held.lookAgain(index);
  });
}

/** Moves the job's next index behind new tasks. @returns the lowest of their indexes */
function count(job: CachedJob, fresh: readonly NewTask[]): TaskIndex {
  let lowest = Infinity;
  for (const { index } of fresh) {
    if (index < lowest) lowest = index;
    if (index >= job.nextIndex) job.nextIndex = index + 1;
  }
  return lowest;
}
