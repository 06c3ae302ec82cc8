import type { JobId } from "../../../../shared/ids.ts";
import { limits } from "../../../../shared/limits.ts";
import type { TaskFailure } from "../../../../shared/wire/rest/failures.ts";
import type { JobRow, NewTask, ResultRow } from "../../store.ts";
import { withBlob } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { finishIfEnded } from "./ending.ts";
import { sourceOf, type Fed } from "./fed-jobs.ts";
import { groupStride } from "./feed-groups.ts";
import { results } from "./results.ts";
import { addTasks } from "./submit.ts";
import type { Step } from "../database.ts";

/** Outcomes passed on in one transaction (5 ms), so that a source with 10^6 of them does not delay all other work. */
const strideTasks = 2000;
const strideBytes = 1024 * 1024;

/**
 * Passes a stride of the source's outcomes on to a fed job. How far that went is written in the same transaction, so each outcome is passed on
 * once ([FEED-1]).
 */
export function* feedStride(transaction: Transaction, id: JobId): Step<Fed> {
  const { db, jobs } = transaction;
  const job = yield* jobs.find(id);
  const source = job?.row.state === "open" ? yield* sourceOf(transaction, job) : undefined;
  if (!job || !source) return { job: undefined, left: "all" };
  // A failure is written at once: without the outputs before it, reading would go past them.
  transaction.outcomes.flush(source.number);
  const { seq } = (yield* db.get<{ seq: number }>("SELECT seq FROM feeds WHERE job = ?", job.number))!;
  if (job.row.outputsPerTask !== undefined)
    return (yield* groupStride(transaction, source, job, seq)) ?? (yield* fedAll(transaction, source, job));
  const page = yield* results(transaction, source.row.id, seq, strideTasks, strideBytes);
  if (page.length === 0) return yield* fedAll(transaction, source, job);
  const outcomes = yield* withinQuota(transaction, job, page);
  if (outcomes.length === 0) return { job: undefined, left: "full" };
  yield* pass(transaction, source, job, outcomes);
  db.write("UPDATE feeds SET seq = ? WHERE job = ?", outcomes.at(-1)!.seq, job.number);
  return { job: job.row, left: "more" };
}

/** Closes a fed job whose source has finished; called when nothing is left to pass on. */
function* fedAll(transaction: Transaction, source: CachedJob, job: CachedJob): Step<Fed> {
  if (source.row.state !== "finished") return { job: undefined, left: "all" };
  transaction.jobs.change(job, { state: "closed" });
  yield* finishIfEnded(transaction, job);
  return { job: job.row, left: "all" };
}

/** The first of these outcomes, as many as the customer's quota has room for. A failure needs no room ([QUOTA-3]). */
function* withinQuota(
  { usage }: Transaction,
  { row }: CachedJob,
  page: readonly ResultRow[],
): Step<ResultRow[]> {
  let { bytes, openTasks } = yield* usage.room(row.customer);
  const end = page.findIndex((outcome) => {
    if (outcome.state === "failed") return false;
    const size = outcome.output instanceof Uint8Array ? outcome.output.length : 0;
    bytes -= size;
    openTasks -= 1;
    return openTasks < 0 || (size > 0 && bytes < 0);
  });
  return page.slice(0, end < 0 ? page.length : end);
}

function* pass(
  transaction: Transaction,
  source: CachedJob,
  job: CachedJob,
  outcomes: readonly ResultRow[],
): Step<void> {
  const tasks: NewTask[] = [];
  const failures: TaskFailure[] = [];
  for (const outcome of outcomes) {
    const { index } = outcome;
    if (outcome.state === "failed") failures.push(followingFrom(source.row, outcome.failure));
    else {
      const { output, refs } = outcome;
      // A task refers to the blob that holds its input, too.
      const blobs = output instanceof Uint8Array ? refs : withBlob(refs, output);
      if (blobs.length <= limits.refsPerTask) tasks.push({ index, input: output, refs: blobs });
      else failures.push(tooManyBlobs(source.row, index, blobs.length));
    }
  }
  if (tasks.length > 0) {
    // Tasks of consecutive indexes share a pack.
    tasks.sort((a, b) => a.index - b.index);
    yield* addTasks(transaction, job, tasks);
  }
  if (failures.length > 0) yield* addInputless(transaction, job, failures);
}

/** The failure of a task whose input would be the output of a failed task. It names the task where the failures began. */
function followingFrom({ id, name }: JobRow, { index, kind, message }: TaskFailure): TaskFailure {
  const reason =
    kind === "blocked"
      ? message
      : `Task ${index} of job ${id} ("${name}"), whose output was to be its input, failed: ${message}`;
  return { index, kind: "blocked", message: reason, attempts: 0 };
}

function tooManyBlobs({ id, name }: JobRow, index: number, blobs: number): TaskFailure {
  const message = `The output of task ${index} of job ${id} ("${name}") needs ${blobs} blobs; at most ${limits.refsPerTask} are allowed in an input.`;
  return { index, kind: "blocked", message, attempts: 0 };
}

/** Adds tasks that have failed for want of an input. Only their failures are stored, so that an input can still come. */
function* addInputless(
  transaction: Transaction,
  job: CachedJob,
  failures: readonly TaskFailure[],
): Step<void> {
  const { db, jobs, ended, outcomes } = transaction;
  const { row } = job;
  let { lastSeq, outputBytes } = row;
  for (const failure of failures) {
    outputBytes += outcomes.addFailed(job.number, ++lastSeq, failure.index, failure);
    (yield* ended.of(job)).add(failure.index);
    db.write("INSERT INTO inputless (job, idx, seq) VALUES (?, ?, ?)", job.number, failure.index, lastSeq);
  }
  if (ended.count(job, failures.length)) ended.save(job);
  const count = failures.length;
  jobs.change(job, { total: row.total + count, failed: row.failed + count, lastSeq, outputBytes });
}
