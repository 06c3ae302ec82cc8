import type { JobId, Sha256 } from "../../../../shared/ids.ts";
import { hashColumn } from "../columns.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

/** Jobs that refer to a blob, or whose kernel it is; newest first, at most `limit`. */
export function* jobsOfBlob({ db }: Transaction, sha256: Sha256, limit: number): Step<JobId[]> {
  const rows = yield* db.all<{ id: JobId }>(
    `SELECT id FROM jobs WHERE number IN (SELECT job FROM blobRefs WHERE sha256 = ?1) OR kernel = ?1
     ORDER BY number DESC LIMIT ?2`,
    hashColumn(sha256),
    limit,
  );
  return rows.map(({ id }) => id);
}
