import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Transaction } from "../transaction.ts";
import { keptClaims } from "./provisional-claims.ts";

export function unclaim(transaction: Transaction, id: JobId, indexes: readonly TaskIndex[]): void {
  const job = transaction.jobs.find(id);
  const held = job && transaction.claims.get(job.number);
  if (!held) return;
  const kept = keptClaims(transaction, job);
  for (const index of indexes) if (!kept?.has(index)) held.giveBack(index);
}
