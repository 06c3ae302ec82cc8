import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

/** Records whether a job that is being quarantined or blocked was open for more tasks. */
export function rememberState({ db }: Transaction, { number, row }: CachedJob): void {
  db.write("UPDATE jobs SET blockedOpen = ? WHERE number = ?", row.state === "open" ? 1 : 0, number);
}

/** Records that a quarantined or blocked job takes more tasks once it is requeued. */
export function rememberOpen({ db }: Transaction, { number }: CachedJob): void {
  db.write("UPDATE jobs SET blockedOpen = 1 WHERE number = ?", number);
}

/** The state of a quarantined or blocked job after requeueing: open when the job did not have all its tasks. */
export function* stateBefore({ db }: Transaction, { number }: CachedJob): Step<"open" | "closed"> {
  const columns = yield* db.get<{ blockedOpen: number }>(
    "SELECT blockedOpen FROM jobs WHERE number = ?",
    number,
  );
  return columns?.blockedOpen === 1 ? "open" : "closed";
}
