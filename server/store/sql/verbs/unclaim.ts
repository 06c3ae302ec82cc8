import type { JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { Transaction } from "../transaction.ts";
import { keptClaims } from "./provisional-claims.ts";
import type { Step } from "../database.ts";

export function* unclaim(transaction: Transaction, id: JobId, indexes: readonly TaskIndex[]): Step<void> {
  const job = yield* transaction.jobs.find(id);
  const held = job && (yield* transaction.claims.find(job));
  if (!held) return;
  const kept = yield* keptClaims(transaction.provisional, job);
  for (const index of indexes) if (!kept?.has(index)) held.giveBack(index);
}
