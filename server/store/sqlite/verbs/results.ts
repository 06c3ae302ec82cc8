import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/rest.ts";
import type { ResultRow } from "../../store.ts";
import { decodeRuns } from "../index-runs.ts";
import type { Session } from "../session.ts";
import { ValuePack } from "../value-pack.ts";

interface OutcomeColumns {
  readonly seq: number;
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
  /** Null in the row of a failure, as are the other columns of a pack. */
  readonly sizes: Uint8Array | null;
  readonly side: string | null;
  readonly outputs: Uint8Array;
  readonly failure: string;
}

/** What a result costs besides its output, in bytes: an estimate, for a limit that is one. */
const rowBytes = 64;

/**
 * Outputs are views into their packs, not copies: a page is read, sent and let go, and keeps at most the rest of its first
 * and last pack (256 KiB each) alive meanwhile.
 */
export function results(
  session: Session,
  id: JobId,
  after: number,
  limit: number,
  maxBytes: number,
): ResultRow[] {
  const { number, row } = session.jobs.need(id);
  const page: ResultRow[] = [];
  // Customers that follow a job ask again and again at its end.
  if (after >= row.lastSeq || limit < 1) return page;
  let bytes = 0;
  for (const columns of packsFrom(session, number, after + 1)) {
    const skip = Math.max(0, after + 1 - columns.seq);
    for (const result of readResults(columns, skip)) {
      bytes += rowBytes + result.bytes;
      if (page.length > 0 && bytes > maxBytes) return page;
      page.push(result.row);
      if (page.length >= limit) return page;
    }
  }
  return page;
}

/** The packs that hold results from `seq` on, in order. */
function packsFrom({ db }: Session, job: number, seq: number): Iterable<OutcomeColumns> {
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

function* readResults(columns: OutcomeColumns, skip: number): Iterable<{ row: ResultRow; bytes: number }> {
  const { seq, count, first, runs, sizes, side, outputs, failure } = columns;
  if (skip >= count) return;
  if (sizes === null) {
    const row: ResultRow = {
      seq,
      index: first,
      state: "failed",
      failure: JSON.parse(failure) as TaskFailure,
    };
    return yield { row, bytes: failure.length };
  }
  const indexes = decodeRuns(first, count, runs);
  const pack = new ValuePack(count, { sizes, side, bytes: outputs });
  for (let at = skip; at < count; at++) {
    const { payload, refs } = pack.value(at);
    const row: ResultRow = { seq: seq + at, index: indexes[at]!, state: "done", output: payload, refs };
    yield { row, bytes: pack.size(at) };
  }
}
