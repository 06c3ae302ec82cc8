import type { BlobName } from "../../../../shared/data-reference.ts";
import type { JobId, Sha256 } from "../../../../shared/ids.ts";
import type { BlobOwner } from "../../store.ts";
import { hashColumn, readHash } from "../columns.ts";
import type { Transaction } from "../transaction.ts";
import { addOwner, ownedBlob, removeOwners } from "./blob-owners.ts";
import type { Step } from "../database.ts";

interface BlobColumns {
  readonly sha256: Uint8Array;
  readonly size: number;
}

export function* touchBlob(transaction: Transaction, name: BlobName, owner?: BlobOwner): Step<void> {
  const { db, clock } = transaction;
  const { sha256, size } = name;
  db.holdings("share");
  if (owner && "customer" in owner && !(yield* ownedBlob(transaction, sha256, owner)))
    yield* transaction.usage.mustFit(owner.customer, { bytes: size });
  const column = hashColumn(sha256);
  const known = (yield* db.run("UPDATE blobs SET touchedAt = ? WHERE sha256 = ?", clock(), column)) > 0;
  if (!known) {
    db.write("INSERT INTO blobs (sha256, size, touchedAt) VALUES (?, ?, ?)", column, size, clock());
    count(transaction, 1, size);
  }
  if (owner) yield* addOwner(transaction, name, owner);
}

export function* getBlob(
  transaction: Transaction,
  sha256: Sha256,
  owner?: BlobOwner,
): Step<BlobName | undefined> {
  if (owner) return yield* ownedBlob(transaction, sha256, owner);
  const { db } = transaction;
  const found = yield* db.get<BlobColumns>(
    "SELECT sha256, size FROM blobs WHERE sha256 = ?",
    hashColumn(sha256),
  );
  return found && nameOf(found);
}

/** Counted once and kept, because the status page asks every second. */
export function* blobUsage(transaction: Transaction): Step<{ count: number; bytes: number }> {
  transaction.blobUsage ??= yield* transaction.db.get<{ count: number; bytes: number }>(
    "SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes FROM blobs",
  );
  return { count: 0, bytes: 0, ...transaction.blobUsage };
}

/** Whether a job refers to a blob. */
export function* jobHasBlob({ db, jobs }: Transaction, id: JobId, sha256: Sha256): Step<boolean> {
  const job = yield* jobs.find(id);
  const select = "SELECT 1 FROM blobRefs WHERE job = ? AND sha256 = ?";
  return job !== undefined && (yield* db.get(select, job.number, hashColumn(sha256))) !== undefined;
}

export function* unreferencedBlobs({ db }: Transaction, before: number, limit: number): Step<BlobName[]> {
  return (yield* db.all<BlobColumns>(
    `SELECT sha256, size FROM blobs WHERE touchedAt < ?
         AND NOT EXISTS (SELECT 1 FROM blobRefs WHERE blobRefs.sha256 = blobs.sha256)
       ORDER BY touchedAt LIMIT ?`,
    before,
    limit,
  )).map(nameOf);
}

export function* forgetBlob(
  transaction: Transaction,
  sha256: Sha256,
  when: number | "unowned" = Number.MAX_SAFE_INTEGER,
): Step<boolean> {
  const { db } = transaction;
  const column = hashColumn(sha256);
  db.holdings("change");
  const size = (yield* db.get<BlobColumns>("SELECT sha256, size FROM blobs WHERE sha256 = ?", column))?.size;
  const forgotten =
    size !== undefined &&
    (when !== "unowned" || !(yield* db.get("SELECT 1 FROM blobOwners WHERE sha256 = ?", column))) &&
    (yield* db.run(
      `DELETE FROM blobs WHERE sha256 = ?1 AND touchedAt < ?2
         AND NOT EXISTS (SELECT 1 FROM blobRefs WHERE sha256 = ?1)`,
      column,
      when === "unowned" ? Number.MAX_SAFE_INTEGER : when,
    )) > 0;
  if (forgotten) {
    yield* removeOwners(transaction, column);
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
