import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest/failures.ts";
import { describeDamage, examine, type Checksums, type Damage } from "../checksum.ts";
import { outcomeHead } from "../outcome-packs.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

interface FailureColumns extends Checksums {
  readonly seq: number;
  readonly first: TaskIndex;
  readonly failure: string;
}

/** Failures in order of their sequence numbers. */
export function* failuresAfter(
  transaction: Transaction,
  id: JobId,
  after: number,
  limit: number,
): Step<{ seq: number; failure: TaskFailure }[]> {
  const { number } = yield* transaction.jobs.need(id);
  const rows = yield* transaction.db.all<FailureColumns>(
    `SELECT seq, first, failure, crc, headCrc FROM outcomePacks WHERE job = ? AND failure IS NOT NULL
     AND seq > ? ORDER BY seq LIMIT ?`,
    number,
    after,
    limit,
  );
  return rows.map((columns) => {
    const { seq, first, failure } = columns;
    const head = outcomeHead({ job: number, seq, count: 1, first, runs: null });
    if (examine(columns, head, [failure]) === "sound")
      return { seq, failure: JSON.parse(failure) as TaskFailure };
    const damage: Damage = { what: "failure", job: id, tasks: [first] };
    transaction.damaged(damage);
    return { seq, failure: { index: first, kind: "data", message: describeDamage(damage), attempts: 0 } };
  });
}
