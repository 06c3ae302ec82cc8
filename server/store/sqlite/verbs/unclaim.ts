import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Transaction } from "../transaction.ts";

export function unclaim({ jobs, claims }: Transaction, id: JobId, indexes: readonly TaskIndex[]): void {
  const job = jobs.find(id);
  const held = job && claims.get(job.number);
  if (held) for (const index of indexes) held.giveBack(index);
}
