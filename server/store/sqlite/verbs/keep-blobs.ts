import type { BlobName } from "../../../../shared/data-reference.ts";
import { hashColumn } from "../columns.ts";
import type { Transaction } from "../transaction.ts";

/** Records that a job refers to these blobs, which keeps them from being collected. */
export function keepBlobs({ db }: Transaction, jobNumber: number, names: Iterable<BlobName>): void {
  const kept = new Set<string>();
  for (const { sha256 } of names) {
    if (kept.has(sha256)) continue;
    kept.add(sha256);
    db.run("INSERT OR IGNORE INTO blobRefs (job, sha256) VALUES (?, ?)", jobNumber, hashColumn(sha256));
  }
}
