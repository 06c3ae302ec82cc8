import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";

/** Drops the claims of a job that takes no more outcomes. */
export function dropClaims(transaction: Transaction, job: CachedJob): void {
  transaction.claims.drop(job);
  transaction.afterCommit(() => transaction.ended.drop(job));
}
