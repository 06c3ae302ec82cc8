import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/rest.ts";
import type { ResultRow } from "../../store.ts";
import { readPayload, readRefs } from "../columns.ts";
import type { Session } from "../session.ts";

interface OutcomeColumns {
  readonly seq: number;
  readonly idx: TaskIndex;
  readonly output: Uint8Array | string | null;
  readonly refs: string | null;
  readonly failure: string | null;
}

/** What a result costs besides its output, in bytes: an estimate, for a limit that is one. */
const rowBytes = 64;

export function results(
  { db, jobs }: Session,
  id: JobId,
  after: number,
  limit: number,
  maxBytes: number,
): ResultRow[] {
  const { number, row } = jobs.need(id);
  const page: ResultRow[] = [];
  // Customers that follow a job ask again and again at its end.
  if (after >= row.lastSeq || limit < 1) return page;
  let bytes = 0;
  for (const columns of db.iterate<OutcomeColumns>(
    "SELECT seq, idx, output, refs, failure FROM outcomes WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?",
    number,
    after,
    limit,
  )) {
    bytes += rowBytes + (columns.output?.length ?? 0) + (columns.failure?.length ?? 0);
    if (page.length > 0 && bytes > maxBytes) break;
    page.push(readResult(columns));
  }
  return page;
}

function readResult({ seq, idx, output, refs, failure }: OutcomeColumns): ResultRow {
  if (output === null)
    return { seq, index: idx, state: "failed", failure: JSON.parse(failure ?? "") as TaskFailure };
  return { seq, index: idx, state: "done", output: readPayload(output), refs: readRefs(refs) };
}
