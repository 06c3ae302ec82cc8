import type { JobId } from "../../../../shared/ids.ts";
import type { TaskFailure } from "../../../../shared/wire/rest.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

export function* failures({ db, jobs }: Transaction, id: JobId, limit: number): Step<TaskFailure[]> {
  return (yield* db.all<{ failure: string }>(
    "SELECT failure FROM outcomePacks WHERE job = ? AND failure IS NOT NULL ORDER BY seq LIMIT ?",
    (yield* jobs.need(id)).number,
    limit,
  )).map(({ failure }) => JSON.parse(failure) as TaskFailure);
}
