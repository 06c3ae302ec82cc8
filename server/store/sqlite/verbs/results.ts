import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest.ts";
import type { ResultRow } from "../../store.ts";
import { decodeRuns } from "../index-runs.ts";
import type { Transaction } from "../transaction.ts";
import { ValuePack } from "../value-pack.ts";

interface OutcomeColumns {
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

/** Estimated bytes of a result beside its output; the limit is approximate, too. */
const rowBytes = 64;

/**
 * A page of results. Outputs are views into their packs: a page is short-lived, and keeps at most the rest of its first and
 * last pack (256 KiB each) in memory.
 */
export function results(
  transaction: Transaction,
  id: JobId,
  after: number,
  limit: number,
  maxBytes: number,
): ResultRow[] {
  const { number, row } = transaction.jobs.need(id);
  const page: ResultRow[] = [];
  // A customer that follows a job asks repeatedly at the job's end.
  if (after >= row.lastSeq || limit < 1) return page;
  let bytes = 0;
  for (const columns of packsFrom(transaction, number, after + 1)) {
    const { seq, count, first, runs, outputs, failure } = columns;
    const from = Math.max(0, after + 1 - seq);
    if (from >= count) continue;
    const pack = outputs && new ValuePack(count, { ...columns, bytes: outputs });
    const indexes = decodeRuns(first, count, runs);
    for (let at = from; at < count; at++) {
      bytes += rowBytes + (pack ? pack.size(at) : failure!.length);
      if (page.length > 0 && bytes > maxBytes) return page;
      page.push(pack ? doneRow(seq + at, indexes[at]!, pack, at) : failedRow(seq, first, failure!));
      if (page.length >= limit) return page;
    }
  }
  return page;
}

/** Packs with results from `seq` on, in order. */
function packsFrom({ db }: Transaction, job: number, seq: number): Iterable<OutcomeColumns> {
  const found = db.get<{ seq: number | null }>(
    "SELECT max(seq) AS seq FROM outcomePacks WHERE job = ? AND seq <= ?",
    job,
    seq,
  );
  return db.iterate<OutcomeColumns>(
    `SELECT seq, count, first, runs, sizes, side, outputs, failure FROM outcomePacks
     WHERE job = ? AND seq >= ? ORDER BY seq`,
    job,
    found?.seq ?? seq,
  );
}

function doneRow(seq: number, index: TaskIndex, pack: ValuePack, at: number): ResultRow {
  const { payload, refs } = pack.value(at);
  return { seq, index, state: "done", output: payload, refs };
}

function failedRow(seq: number, index: TaskIndex, failure: string): ResultRow {
  return { seq, index, state: "failed", failure: JSON.parse(failure) as TaskFailure };
}
