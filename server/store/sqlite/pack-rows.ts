import type { TaskIndex } from "../../../shared/ids.ts";
import type { TaskFailure } from "../../../shared/wire/rest/failures.ts";
import { readName, readRefs } from "../sql/columns.ts";
import type { SqliteDatabase } from "./database.ts";
import { finish } from "../sql/database.ts";
import { OutcomePacks } from "../sql/outcome-packs.ts";
import { TaskPacks } from "../sql/task-packs.ts";

interface TaskColumns {
  readonly job: number;
  readonly idx: TaskIndex;
  readonly input: Uint8Array | string;
  readonly refs: string | null;
}

interface OutcomeColumns {
  readonly job: number;
  readonly seq: number;
  readonly idx: TaskIndex;
  readonly output: Uint8Array | string | null;
  readonly refs: string | null;
  readonly failure: string | null;
}

/** Rows of one read: 64 MiB of the largest values. */
const stride = 256;

/** Makes packs of the tables of version 2, which had a row for each task and each outcome, and drops the tables. */
export function packRows(db: SqliteDatabase): void {
  const tasks = new TaskPacks(db);
  let current = -1;
  for (const { job, idx, input, refs } of taskRows(db)) {
    // Jobs are packed one after the other, so that memory holds one unfinished pack only.
    if (job !== current) tasks.flush();
    current = job;
    tasks.add(job, idx, readPayload(input), readRefs(refs));
  }
  tasks.flush();
  const outcomes = new OutcomePacks(db);
  for (const { job, seq, idx, output, refs, failure } of outcomeRows(db)) {
    if (job !== current) outcomes.flush();
    current = job;
    if (output === null) outcomes.addFailed(job, seq, idx, JSON.parse(failure ?? "") as TaskFailure);
    else outcomes.addDone(job, seq, idx, readPayload(output), readRefs(refs));
  }
  outcomes.flush();
  db.exec("DROP TABLE tasks; DROP TABLE outcomes");
}

function* taskRows(db: SqliteDatabase): Iterable<TaskColumns> {
  for (let last = { job: -1, idx: 0 }; ;) {
    const rows = finish(
      db.all<TaskColumns>(
        "SELECT job, idx, input, refs FROM tasks WHERE (job, idx) > (?, ?) ORDER BY job, idx LIMIT ?",
        last.job,
        last.idx,
        stride,
      ),
    );
    yield* rows;
    if (rows.length < stride) return;
    last = rows.at(-1)!;
  }
}

function* outcomeRows(db: SqliteDatabase): Iterable<OutcomeColumns> {
  for (let last = { job: -1, seq: 0 }; ;) {
    const rows = finish(
      db.all<OutcomeColumns>(
        `SELECT job, seq, idx, output, refs, failure FROM outcomes WHERE (job, seq) > (?, ?)
       ORDER BY job, seq LIMIT ?`,
        last.job,
        last.seq,
        stride,
      ),
    );
    yield* rows;
    if (rows.length < stride) return;
    last = rows.at(-1)!;
  }
}

function readPayload(column: Uint8Array | string) {
  return typeof column === "string" ? readName(column) : column;
}
