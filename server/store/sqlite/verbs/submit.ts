import { PlatformError } from "../../../../shared/errors.ts";
import type { BlobName } from "../../../../shared/data-reference.ts";
import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { NewTask } from "../../store.ts";
import { blobsOf, hashColumn, payloadColumn, refsColumn } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Session } from "../session.ts";
import { keepBlobs } from "./keep-blobs.ts";

export function submit(
  session: Session,
  id: JobId,
  tasks: readonly NewTask[],
): { added: number; repeated: number; total: number } {
  const { db, jobs } = session;
  const job = jobs.need(id);
  const fresh = withoutRepeats(session, job, tasks);
  if (fresh.length > 0) {
    mustBeOpen(job);
    const blobs = fresh.flatMap(({ input, refs }) => blobsOf(input, refs));
    mustBeThere(session, blobs);
    for (const { index, input, refs } of fresh)
      db.run(
        "INSERT INTO tasks (job, idx, input, refs) VALUES (?, ?, ?, ?)",
        job.number,
        index,
        payloadColumn(input),
        refsColumn(refs),
      );
    keepBlobs(session, job.number, blobs);
    jobs.change(job, { total: job.row.total + fresh.length });
    open(session, job, fresh);
  }
  return { added: fresh.length, repeated: tasks.length - fresh.length, total: job.row.total };
}

/** The tasks that are not there yet. @throws PlatformError CONFLICT */
function withoutRepeats(session: Session, job: CachedJob, tasks: readonly NewTask[]): NewTask[] {
  const seen = new Map<TaskIndex, Uint8Array | string>();
  return tasks.filter(({ index, input }) => {
    const column = payloadColumn(input);
    const known = seen.get(index) ?? storedInput(session, job, index);
    if (known === undefined) {
      seen.set(index, column);
      return true;
    }
    if (!equal(known, column))
      throw new PlatformError(
        "CONFLICT",
        `Task ${index} of job ${job.row.id} was submitted with another input. Expected the same input, or an index that is free (${job.nextIndex} is).`,
      );
    return false;
  });
}

function storedInput({ db }: Session, job: CachedJob, index: TaskIndex): Uint8Array | string | undefined {
  if (index >= job.nextIndex) return undefined;
  return db.get<{ input: Uint8Array | string }>(
    "SELECT input FROM tasks WHERE job = ? AND idx = ?",
    job.number,
    index,
  )?.input;
}

function equal(a: Uint8Array | string, b: Uint8Array | string): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return Buffer.compare(a, b) === 0;
}

function mustBeOpen({ row }: CachedJob): void {
  if (row.state !== "open")
    throw new PlatformError(
      "WRONG_STATE",
      `Job ${row.id} is ${row.state} and takes no new tasks. Expected an open job.`,
    );
}

/** In the transaction itself, so that no collection comes in between. @throws PlatformError UNKNOWN_BLOB */
function mustBeThere({ db }: Session, blobs: readonly BlobName[]): void {
  const found = new Set<string>();
  for (const { sha256 } of blobs) {
    if (found.has(sha256)) continue;
    if (!db.get("SELECT 1 FROM blobs WHERE sha256 = ?", hashColumn(sha256)))
      throw new PlatformError("UNKNOWN_BLOB", `An input refers to blob ${sha256}, which is not here.`);
    found.add(sha256);
  }
}

/** Tells the walk of the claims about tasks it has passed already. */
function open(session: Session, job: CachedJob, fresh: readonly NewTask[]): void {
  let lowest = Infinity;
  for (const { index } of fresh) {
    if (index < lowest) lowest = index;
    if (index >= job.nextIndex) job.nextIndex = index + 1;
  }
  if (lowest < job.lowWater) session.jobs.mark(job, lowest);
  const claims = session.claims.get(job.number);
  if (!claims || lowest >= claims.cursor) return;
  session.reopened.add(job.number);
  session.afterCommit(() => {
    for (const { index } of fresh) claims.lookAgain(index);
  });
}
