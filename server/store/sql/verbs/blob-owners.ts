import type { BlobName } from "../../../../shared/data-reference.ts";
import { PlatformError } from "../../../../shared/errors.ts";
import type { Sha256 } from "../../../../shared/ids.ts";
import type { BlobOwner } from "../../store.ts";
import { hashColumn } from "../columns.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

interface OwnerColumns {
  readonly kind: "customer" | "client";
  readonly name: string;
  readonly size: number;
}

function columnsOf(owner: BlobOwner): [kind: OwnerColumns["kind"], name: string] {
  return "customer" in owner ? ["customer", owner.customer] : ["client", owner.client];
}

/** The blob, if this owner has the blob. */
export function* ownedBlob(
  { db }: Transaction,
  sha256: Sha256,
  owner: BlobOwner,
): Step<BlobName | undefined> {
  const found = yield* db.get<{ size: number }>(
    "SELECT size FROM blobOwners WHERE sha256 = ? AND kind = ? AND name = ?",
    hashColumn(sha256),
    ...columnsOf(owner),
  );
  return found && { sha256, size: found.size };
}

/** Records that an owner sent all bytes of a blob, which is in `blobs`. The caller has checked the quota. */
export function* addOwner(
  { db, usage }: Transaction,
  { sha256, size }: BlobName,
  owner: BlobOwner,
): Step<void> {
  const key = [hashColumn(sha256), ...columnsOf(owner)] as const;
  const known =
    (yield* db.run("UPDATE blobOwners SET put = 1 WHERE sha256 = ? AND kind = ? AND name = ?", ...key)) > 0;
  if (known) return;
  db.write(
    "INSERT INTO blobOwners (sha256, kind, name, size, put, refs) VALUES (?, ?, ?, ?, 1, 0)",
    ...key,
    size,
  );
  if ("customer" in owner) usage.add(owner.customer, { blobBytes: size });
}

/** Counts another job of the customer that refers to the blob. */
export function* countReference(
  { db, usage }: Transaction,
  sha256: Uint8Array,
  customer: string,
): Step<void> {
  const known =
    (yield* db.run(
      "UPDATE blobOwners SET refs = refs + 1 WHERE sha256 = ? AND kind = 'customer' AND name = ?",
      sha256,
      customer,
    )) > 0;
  if (known) return;
  const size = (yield* db.get<{ size: number }>("SELECT size FROM blobs WHERE sha256 = ?", sha256))?.size;
  if (size === undefined) return;
  db.write("INSERT INTO blobOwners VALUES (?, 'customer', ?, ?, 0, 1)", sha256, customer, size);
  usage.add(customer, { blobBytes: size });
}

/** Counts one job less of the customer that refers to the blob. */
export function* dropReference(transaction: Transaction, sha256: Uint8Array, customer: string): Step<void> {
  transaction.db.write(
    "UPDATE blobOwners SET refs = refs - 1 WHERE sha256 = ? AND kind = 'customer' AND name = ? AND refs > 0",
    sha256,
    customer,
  );
  yield* removeWhere(
    transaction,
    "sha256 = ? AND kind = 'customer' AND name = ? AND put = 0 AND refs = 0",
    sha256,
    customer,
  );
}

/**
 * Takes a blob from the owner (without `owner`: from all).
 * @returns false when the owner did not have the blob
 * @throws PlatformError WRONG_STATE while a job of such a customer refers to the blob
 */
export function* disownBlob(
  transaction: Transaction,
  sha256: Sha256,
  owner: BlobOwner | undefined,
): Step<boolean> {
  transaction.db.holdings("change");
  const where = `sha256 = ?${owner ? " AND kind = ? AND name = ?" : ""}`;
  const values = [hashColumn(sha256), ...(owner ? columnsOf(owner) : [])];
  if (yield* transaction.db.get(`SELECT 1 FROM blobOwners WHERE ${where} AND refs > 0`, ...values))
    throw new PlatformError(
      "WRONG_STATE",
      `Blob ${sha256} is an input or output of a job. Expected a blob that no job refers to; delete its jobs first.`,
    );
  return yield* removeWhere(transaction, where, ...values);
}

/** Removes all owners of a blob that is gone. */
export function* removeOwners(transaction: Transaction, sha256: Uint8Array): Step<void> {
  yield* removeWhere(transaction, "sha256 = ?", sha256);
}

function* removeWhere(
  { db, usage }: Transaction,
  where: string,
  ...values: (Uint8Array | string)[]
): Step<boolean> {
  const rows = yield* db.all<OwnerColumns>(
    `DELETE FROM blobOwners WHERE ${where} RETURNING kind, name, size`,
    ...values,
  );
  for (const { kind, name, size } of rows) if (kind === "customer") usage.add(name, { blobBytes: -size });
  return rows.length > 0;
}
