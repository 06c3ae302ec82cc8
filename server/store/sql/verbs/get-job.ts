import type { JobId } from "../../../../shared/ids.ts";
import type { JobRow } from "../../store.ts";
import type { Step } from "../database.ts";
import type { Transaction } from "../transaction.ts";

export function* getJob({ jobs }: Transaction, id: JobId): Step<JobRow | undefined> {
  return (yield* jobs.find(id))?.row;
}
