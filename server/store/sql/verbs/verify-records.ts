import { createHash } from "node:crypto";
import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { RecordCursor } from "../../store.ts";
import { checksum, examine, type Checksums, type Damage } from "../checksum.ts";
import { readHash } from "../columns.ts";
import type { Step } from "../database.ts";
import { decodeRuns } from "../index-runs.ts";
import { outcomeHead } from "../outcome-packs.ts";
import { provisionalHead } from "../provisional-packs.ts";
import { taskHead } from "../task-packs.ts";
import type { Transaction } from "../transaction.ts";

/** Records are read for this long before other work gets its turn: 5 MB of cached pages. */
const strideMs = 5;
const rows = 16;

interface Row extends Checksums {
  readonly key: number;
  readonly job: number;
  readonly first: TaskIndex;
  readonly count: number;
  readonly runs: Uint8Array | null;
  readonly sizes: Uint8Array | null;
  readonly side: string | null;
}

type Found = Omit<Damage, "job"> & { readonly number?: number };

/** The records of one table behind a key, lowest first, and the damage of each. */
interface Walk {
  readonly start: readonly number[];
  step(
    transaction: Transaction,
    key: readonly number[],
  ): Step<{ key: readonly number[]; damage: Found | undefined }[]>;
}

/** A walk over a table by a key of one number. The caller states the type of the row next to its SQL. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
function byNumber<R extends { key: number }>(select: string, damageOf: (row: R) => Found | undefined): Walk {
  return {
    start: [-1],
    *step({ db }, [after = -1]) {
      const found = yield* db.all<R>(`${select} ORDER BY key LIMIT ${rows}`, after);
      return found.map((row) => ({ key: [row.key], damage: damageOf(row) }));
    },
  };
}

const tasksOf = ({ first, count, runs }: Row) => decodeRuns(first, count, runs);

const walks: readonly Walk[] = [
  byNumber<Row & { inputs: Uint8Array }>(
    "SELECT number AS key, NULL AS runs, * FROM taskPacks WHERE number > ?",
    (row) => {
      const { job, sizes, side, inputs } = row;
      const found = examine(row, taskHead(job, row), [sizes, side, inputs]);
      return found === "sound"
        ? undefined
        : { what: "inputs", number: job, tasks: found === "values" ? tasksOf(row) : [] };
    },
  ),
  byNumber<Row & { seq: number; failure: string | null; outputs: Uint8Array | null }>(
    "SELECT number AS key, * FROM outcomePacks WHERE number > ?",
    (row) => {
      const { job, sizes, side, outputs, failure } = row;
      const found = examine(row, outcomeHead(row), outputs ? [sizes, side, outputs] : [failure]);
      if (found === "sound") return undefined;
      return {
        what: outputs ? "outputs" : "failure",
        number: job,
        tasks: found === "values" ? tasksOf(row) : [],
      };
    },
  ),
  byNumber<Row & { window: number; outputs: Uint8Array }>(
    "SELECT number AS key, * FROM provisionalPacks WHERE number > ?",
    (row) => {
      const { job, sizes, side, outputs } = row;
      const found = examine(row, provisionalHead(row), [sizes, side, outputs]);
      if (found === "sound") return undefined;
      return { what: "provisional results", number: job, tasks: found === "values" ? tasksOf(row) : [] };
    },
  ),
  byNumber<{ key: number; sha256: Uint8Array; source: Uint8Array }>(
    "SELECT rowid AS key, sha256, source FROM kernels WHERE rowid > ?",
    ({ sha256, source }) => {
      const kernel = readHash(sha256);
      const isSound = createHash("sha256").update(source).digest("hex") === kernel;
      return isSound ? undefined : { what: "kernel", kernel };
    },
  ),
  {
    start: [-1, -1],
    *step({ db }, [job = -1, index = -1]) {
      const found = yield* db.all<{ job: number; idx: TaskIndex; state: Uint8Array; crc: number | null }>(
        `SELECT job, idx, state, crc FROM checkpoints WHERE (job, idx) > (?, ?) ORDER BY job, idx LIMIT ${rows}`,
        job,
        index,
      );
      return found.map((row) => {
        const isSound = row.crc === null || row.crc === checksum([row.job, row.idx, row.state]);
        return {
          key: [row.job, row.idx],
          damage: isSound ? undefined : { what: "checkpoint", number: row.job, tasks: [row.idx] },
        };
      });
    },
  },
];

export function* verifyRecords(
  transaction: Transaction,
  after: RecordCursor = { table: 0, key: walks[0]!.start },
): Step<{ records: number; next?: RecordCursor }> {
  const until = performance.now() + strideMs;
  let { table, key } = after;
  let records = 0;
  while (performance.now() < until) {
    const found = yield* walks[table]!.step(transaction, key);
    records += found.length;
    for (const { damage } of found) if (damage) yield* report(transaction, damage);
    key = found.at(-1)?.key ?? key;
    if (found.length === rows) continue;
    if (++table === walks.length) return { records };
    key = walks[table]!.start;
  }
  return { records, next: { table, key } };
}

function* report({ db, damaged }: Transaction, { number, ...damage }: Found): Step<void> {
  if (number === undefined) return damaged(damage);
  const job = yield* db.get<{ id: JobId }>("SELECT id FROM jobs WHERE number = ?", number);
  // A job that is being removed has no row, and its values no reader.
  if (job) damaged({ ...damage, job: job.id });
}
