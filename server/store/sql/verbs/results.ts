import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import { unreadableOutput } from "../../../../shared/wire/task.ts";
import type { TaskFailure } from "../../../../shared/wire/rest/failures.ts";
import type { ResultRow } from "../../store.ts";
import { damagedError, describeDamage, examine, type Checksums, type Damage } from "../checksum.ts";
import { decodeRuns } from "../index-runs.ts";
import { outcomeHead } from "../outcome-packs.ts";
import type { Transaction } from "../transaction.ts";
import { ValuePack } from "../value-pack.ts";
import type { Step } from "../database.ts";

export interface OutcomeColumns {
  readonly seq: number;
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
  readonly sizes: Uint8Array | null;
  readonly side: string | null;
  /** Null for a failure, which has no outputs. */
  readonly outputs: Uint8Array | null;
  readonly failure: string | null;
}

export interface StoredOutcomes extends OutcomeColumns, Checksums {}

/** Estimated bytes of a result beside its output; the limit is approximate, too. */
const rowBytes = 64;

/** Packs of the first query of a page, and most of a later one. */
const firstStride = 4;
const maxStride = 256;

/**
 * A page of results. Outputs are views into their packs: a page is short-lived, and keeps at most the rest of its first and
 * last pack (256 KiB each) in memory.
 */
export function* results(
  transaction: Transaction,
  id: JobId,
  after: number,
  limit: number,
  maxBytes: number,
): Step<ResultRow[]> {
  const { number, row } = yield* transaction.jobs.need(id);
  const page: Page = {
    id,
    job: number,
    damaged: transaction.damaged,
    rows: [],
    after,
    limit,
    maxBytes,
    bytes: 0,
  };
  // A customer that follows a job asks repeatedly at the job's end.
  if (after >= row.lastSeq || limit < 1) return page.rows;
  let next = yield* packOf(transaction, number, after + 1);
  for (let asked = firstStride, read = 0; ;) {
    const packs = yield* packsFrom(transaction, number, next, asked);
    for (const columns of packs) if (fill(page, columns)) return page.rows;
    const last = packs.at(-1);
    if (!last || packs.length < asked) return page.rows;
    next = last.seq + last.count;
    // As many packs as the rest of the page needs when they are like those before.
    read += packs.length;
    const share = Math.max(page.rows.length / limit, page.bytes / maxBytes, 1 / maxStride);
    asked = Math.max(1, Math.min(Math.ceil((read * (1 - share)) / share), maxStride));
  }
}

/** A page under way. */
interface Page {
  readonly id: JobId;
  /** The job's number. */
  readonly job: number;
  readonly damaged: Transaction["damaged"];
  readonly rows: ResultRow[];
  readonly after: number;
  readonly limit: number;
  readonly maxBytes: number;
  bytes: number;
}

/**
 * Adds the results of a pack.
 * @returns whether the page is full
 * @throws PlatformError when it is not even known which results those are, and the page has none before them
 */
function fill(page: Page, columns: StoredOutcomes): boolean {
  const { id, job, damaged, rows, after, limit, maxBytes } = page;
  const { seq, count, first, runs, outputs, failure, sizes, side } = columns;
  const from = Math.max(0, after + 1 - seq);
  if (from >= count) return false;
  const found = examine(
    columns,
    outcomeHead({ job, ...columns }),
    outputs ? [sizes, side, outputs] : [failure],
  );
  if (found === "head") {
    const damage: Damage = { what: "outputs", job: id };
    damaged(damage);
    // The results up to here are read first.
    if (rows.length > 0) return true;
    throw damagedError(damage);
  }
  if (found === "values") {
    const indexes = decodeRuns(first, count, runs);
    const damage: Damage = { what: outputs ? "outputs" : "failure", job: id, tasks: indexes };
    damaged(damage);
    for (let at = from; at < count; at++) {
      rows.push(damagedRow(seq + at, indexes[at]!, damage));
      if (rows.length >= limit) return true;
    }
    return false;
  }
  const pack = outputs && new ValuePack(count, { ...columns, bytes: outputs });
  const indexes = decodeRuns(first, count, runs);
  for (let at = from; at < count; at++) {
    page.bytes += rowBytes + (pack ? pack.size(at) : failure!.length);
    if (rows.length > 0 && page.bytes > maxBytes) return true;
    rows.push(pack ? doneRow(seq + at, indexes[at]!, pack, at) : failedRow(seq, first, failure!));
    if (rows.length >= limit) return true;
  }
  return false;
}

/** The beginning of the pack that holds a sequence number, if there is one. */
function* packOf({ db }: Transaction, job: number, seq: number): Step<number> {
  const found = yield* db.get<{ seq: number | null }>(
    "SELECT max(seq) AS seq FROM outcomePacks WHERE job = ? AND seq <= ?",
    job,
    seq,
  );
  return found?.seq ?? seq;
}

/** Packs with results from `seq` on, in order. */
function packsFrom({ db }: Transaction, job: number, seq: number, limit: number): Step<StoredOutcomes[]> {
  return db.all<StoredOutcomes>(
    `SELECT seq, count, first, runs, sizes, side, outputs, failure, crc, headCrc FROM outcomePacks
     WHERE job = ? AND seq >= ? ORDER BY seq LIMIT ?`,
    job,
    seq,
    limit,
  );
}

function doneRow(seq: number, index: TaskIndex, pack: ValuePack, at: number): ResultRow {
  const { payload, refs } = pack.value(at);
  return { seq, index, state: "done", output: payload, refs };
}

/** The row of a damaged outcome: an error, never another value ([ROT-1]). */
function damagedRow(seq: number, index: TaskIndex, damage: Damage): ResultRow {
  const message = unreadableOutput(describeDamage(damage));
  return { seq, index, state: "failed", failure: { index, kind: "data", message, attempts: 0 } };
}

function failedRow(seq: number, index: TaskIndex, failure: string): ResultRow {
  return { seq, index, state: "failed", failure: JSON.parse(failure) as TaskFailure };
}
