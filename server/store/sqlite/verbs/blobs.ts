import type { BlobName } from "../../../../shared/data-reference.ts";
import type { JobId, Sha256 } from "../../../../shared/ids.ts";
import type { BlobOwner } from "../../store.ts";
import { hashColumn, readHash } from "../columns.ts";
import type { Transaction } from "../transaction.ts";
import { addOwner, ownedBlob, removeOwners } from "./blob-owners.ts";

interface BlobColumns {
  readonly sha256: Uint8Array;
  readonly size: number;
}

export function touchBlob(transaction: Transaction, name: BlobName, owner?: BlobOwner): void {
  const { db, clock } = transaction;
  const { sha256, size } = name;
  if (owner && "customer" in owner && !ownedBlob(transaction, sha256, owner))
    transaction.usage.mustFit(owner.customer, { bytes: size });
  const column = hashColumn(sha256);
  const known = db.run("UPDATE blobs SET touchedAt = ? WHERE sha256 = ?", clock(), column) > 0;
  if (!known) {
    db.run("INSERT INTO blobs (sha256, size, touchedAt) VALUES (?, ?, ?)", column, size, clock());
    count(transaction, 1, size);
  }
  if (owner) addOwner(transaction, name, owner);
}

export function getBlob(transaction: Transaction, sha256: Sha256, owner?: BlobOwner): BlobName | undefined {
  if (owner) return ownedBlob(transaction, sha256, owner);
  const { db } = transaction;
  const found = db.get<BlobColumns>("SELECT sha256, size FROM blobs WHERE sha256 = ?", hashColumn(sha256));
  return found && nameOf(found);
}

/** Counted once and kept, because the status page asks every second. */
export function blobUsage(transaction: Transaction): { count: number; bytes: number } {
  transaction.blobUsage ??= transaction.db.get<{ count: number; bytes: number }>(
    "SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes FROM blobs",
  );
  return { count: 0, bytes: 0, ...transaction.blobUsage };
}

/** Whether a job refers to a blob. */
export function jobHasBlob({ db, jobs }: Transaction, id: JobId, sha256: Sha256): boolean {
  const job = jobs.find(id);
  const select = "SELECT 1 FROM blobRefs WHERE job = ? AND sha256 = ?";
  return job !== undefined && db.get(select, job.number, hashColumn(sha256)) !== undefined;
}

export function unreferencedBlobs({ db }: Transaction, before: number, limit: number): BlobName[] {
  return db
    .all<BlobColumns>(
      `SELECT sha256, size FROM blobs WHERE touchedAt < ?
         AND NOT EXISTS (SELECT 1 FROM blobRefs WHERE blobRefs.sha256 = blobs.sha256)
       ORDER BY touchedAt LIMIT ?`,
      before,
      limit,
    )
    .map(nameOf);
}

export function forgetBlob(
  transaction: Transaction,
  sha256: Sha256,
  when: number | "unowned" = Infinity,
): boolean {
  const { db } = transaction;
  const column = hashColumn(sha256);
  const size = db.get<BlobColumns>("SELECT sha256, size FROM blobs WHERE sha256 = ?", column)?.size;
  const forgotten =
    size !== undefined &&
    (when !== "unowned" || !db.get("SELECT 1 FROM blobOwners WHERE sha256 = ?", column)) &&
    db.run(
      `DELETE FROM blobs WHERE sha256 = ?1 AND touchedAt < ?2
         AND NOT EXISTS (SELECT 1 FROM blobRefs WHERE sha256 = ?1)`,
      column,
      when === "unowned" ? Infinity : when,
    ) > 0;
  if (forgotten) {
    removeOwners(transaction, column);
    count(transaction, -1, -size);
  }
  return forgotten;
}

function count(transaction: Transaction, blobs: number, bytes: number): void {
  transaction.afterCommit(() => {
    const usage = transaction.blobUsage;
    if (usage) transaction.blobUsage = { count: usage.count + blobs, bytes: usage.bytes + bytes };
  });
}

function nameOf({ sha256, size }: BlobColumns): BlobName {
  return { sha256: readHash(sha256), size };
}
