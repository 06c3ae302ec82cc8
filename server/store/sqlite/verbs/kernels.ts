import type { BlobName } from "../../../../shared/data-reference.ts";
import type { Sha256 } from "../../../../shared/ids.ts";
import { hashColumn, readHash } from "../columns.ts";
import type { Transaction } from "../transaction.ts";

export function putKernel({ db }: Transaction, sha256: Sha256, source: Uint8Array): void {
  db.run(
    "INSERT OR IGNORE INTO kernels (sha256, size, source) VALUES (?, ?, ?)",
    hashColumn(sha256),
    source.length,
    source,
  );
}

export function getKernel({ db }: Transaction, sha256: Sha256): Uint8Array | undefined {
  return db.get<{ source: Uint8Array }>("SELECT source FROM kernels WHERE sha256 = ?", hashColumn(sha256))
    ?.source;
}

export function listKernels({ db }: Transaction): BlobName[] {
  return db
    .all<{ sha256: Uint8Array; size: number }>("SELECT sha256, size FROM kernels ORDER BY rowid")
    .map(({ sha256, size }) => ({ sha256: readHash(sha256), size }));
}
