import { createHash } from "node:crypto";
import type { BlobName } from "../../../../shared/data-reference.ts";
import { PlatformError } from "../../../../shared/errors.ts";
import type { Sha256 } from "../../../../shared/ids.ts";
import { damagedError } from "../checksum.ts";
import { hashColumn, readHash } from "../columns.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

/** Gives a customer a kernel. @returns false when the customer had the kernel @throws PlatformError QUOTA_EXCEEDED */
export function* putKernel(
  { db, usage, clock }: Transaction,
  sha256: Sha256,
  source: Uint8Array,
  customer: string,
): Step<boolean> {
  const column = hashColumn(sha256);
  db.holdings("share");
  const isNew = !(yield* isOwner(db, column, customer));
  if (isNew) yield* usage.mustFit(customer, { kernels: 1, bytes: source.length });
  const stored = yield* db.get<{ source: Uint8Array }>("SELECT source FROM kernels WHERE sha256 = ?", column);
  if (stored && Buffer.compare(stored.source, source) !== 0)
    // The stored source is damaged: `source` has the kernel's hash.
    db.write("UPDATE kernels SET source = ?, size = ? WHERE sha256 = ?", source, source.length, column);
  if ((yield* db.run("UPDATE kernels SET touchedAt = ? WHERE sha256 = ?", clock(), column)) === 0)
    db.write(
      "INSERT INTO kernels (sha256, size, source, touchedAt) VALUES (?, ?, ?, ?)",
      column,
      source.length,
      source,
      clock(),
    );
  if (!isNew) return false;
  db.write("INSERT INTO kernelOwners (sha256, customer) VALUES (?, ?)", column, customer);
  usage.add(customer, { kernels: 1, kernelBytes: source.length });
  return true;
}

/** @throws PlatformError DATA_DIRECTORY when the kernel is damaged on disk */
export function* getKernel(
  { db, damaged }: Transaction,
  sha256: Sha256,
  customer?: string,
): Step<Uint8Array | undefined> {
  const column = hashColumn(sha256);
  if (customer !== undefined && !(yield* isOwner(db, column, customer))) return undefined;
  const found = yield* db.get<{ source: Uint8Array }>("SELECT source FROM kernels WHERE sha256 = ?", column);
  if (found && createHash("sha256").update(found.source).digest("hex") !== sha256) {
    damaged({ what: "kernel", kernel: sha256 });
    throw damagedError({ what: "kernel", kernel: sha256 });
  }
  return found?.source;
}

export function* listKernels({ db }: Transaction, customer?: string): Step<BlobName[]> {
  const where =
    customer === undefined ? "1 = 1" : "sha256 IN (SELECT sha256 FROM kernelOwners WHERE customer = ?)";
  const values = customer === undefined ? [] : [customer];
  return (yield* db.all<{ sha256: Uint8Array; size: number }>(
    `SELECT sha256, size FROM kernels WHERE ${where} ORDER BY rowid`,
    ...values,
  )).map(({ sha256, size }) => ({ sha256: readHash(sha256), size }));
}

/**
 * Takes a kernel from the customer (without `customer`: from all), and removes the kernel when no customer has it any more.
 * @returns false when the customer did not have the kernel
 * @throws PlatformError WRONG_STATE while one of the customer's jobs runs the kernel
 */
export function* deleteKernel(transaction: Transaction, sha256: Sha256, customer?: string): Step<boolean> {
  const { db } = transaction;
  const column = hashColumn(sha256);
  db.holdings("change");
  const mine = customer === undefined ? "" : " AND customer = ?";
  const values = customer === undefined ? [] : [customer];
  const job = yield* db.get<{ id: string }>(
    `SELECT id FROM jobs WHERE kernel = ?${mine} LIMIT 1`,
    column,
    ...values,
  );
  if (job)
    throw new PlatformError(
      "WRONG_STATE",
      `Kernel ${sha256} is that of job ${job.id}. Expected a kernel that no job uses; delete its jobs first.`,
    );
  const found = yield* db.get<{ size: number }>("SELECT size FROM kernels WHERE sha256 = ?", column);
  if (!found) return false;
  const owners = yield* db.all<{ customer: string }>(
    `DELETE FROM kernelOwners WHERE sha256 = ?${mine} RETURNING customer`,
    column,
    ...values,
  );
  for (const owner of owners)
    transaction.usage.add(owner.customer, { kernels: -1, kernelBytes: -found.size });
  const isLeft = (yield* db.get("SELECT 1 FROM kernelOwners WHERE sha256 = ? LIMIT 1", column)) !== undefined;
  if (!isLeft && (owners.length > 0 || customer === undefined))
    db.write("DELETE FROM kernels WHERE sha256 = ?", column);
  return owners.length > 0 || customer === undefined;
}

/** Removes kernels that no job uses and that were posted last before `before` (ms since the epoch). */
export function* collectKernels(transaction: Transaction, before: number): Step<number> {
  transaction.db.holdings("change");
  const unused = yield* transaction.db.all<{ sha256: Uint8Array }>(
    `SELECT sha256 FROM kernels WHERE touchedAt < ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.kernel = kernels.sha256)
     LIMIT 100`,
    before,
  );
  for (const { sha256 } of unused) yield* deleteKernel(transaction, readHash(sha256));
  return unused.length;
}

function* isOwner(db: Transaction["db"], sha256: Uint8Array, customer: string): Step<boolean> {
  return (
    (yield* db.get("SELECT 1 FROM kernelOwners WHERE sha256 = ? AND customer = ?", sha256, customer)) !==
    undefined
  );
}
