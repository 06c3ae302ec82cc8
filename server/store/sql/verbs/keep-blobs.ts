import type { BlobName } from "../../../../shared/data-reference.ts";
import { hashColumn } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { countReference } from "./blob-owners.ts";
import type { Step } from "../database.ts";

/** Records that a job refers to these blobs, which protects them from collection and gives them to the job's customer. */
export function* keepBlobs(transaction: Transaction, job: CachedJob, names: Iterable<BlobName>): Step<void> {
  const { db } = transaction;
  const kept = new Set<string>();
  for (const { sha256 } of names) {
    if (kept.has(sha256)) continue;
    if (kept.size === 0) db.holdings("share");
    kept.add(sha256);
    const column = hashColumn(sha256);
    if (
      (yield* db.run(
        "INSERT INTO blobRefs (job, sha256) VALUES (?, ?) ON CONFLICT DO NOTHING",
        job.number,
        column,
      )) > 0
    )
      yield* countReference(transaction, column, job.row.customer);
  }
}
