import type { BlobName } from "../../../../shared/data-reference.ts";
import { hashColumn } from "../columns.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import { countReference } from "./blob-owners.ts";

/** Records that a job refers to these blobs, which protects them from collection and gives them to the job's customer. */
export function keepBlobs(transaction: Transaction, job: CachedJob, names: Iterable<BlobName>): void {
  const { db } = transaction;
  const kept = new Set<string>();
  for (const { sha256 } of names) {
    if (kept.has(sha256)) continue;
    kept.add(sha256);
    const column = hashColumn(sha256);
    if (db.run("INSERT OR IGNORE INTO blobRefs (job, sha256) VALUES (?, ?)", job.number, column) > 0)
      countReference(transaction, column, job.row.customer);
  }
}
