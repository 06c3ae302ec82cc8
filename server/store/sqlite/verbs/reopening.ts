import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";

/** Keeps in the database whether a job that is being quarantined or blocked had all its tasks. */
export function rememberState({ db }: Transaction, { number, row }: CachedJob): void {
  db.run("UPDATE jobs SET blockedOpen = ? WHERE number = ?", row.state === "open" ? 1 : 0, number);
}

/** What a quarantined or blocked job is again when it is requeued: open when it did not have all its tasks. */
export function stateBefore({ db }: Transaction, { number }: CachedJob): "open" | "closed" {
  const columns = db.get<{ blockedOpen: number }>("SELECT blockedOpen FROM jobs WHERE number = ?", number);
  return columns?.blockedOpen === 1 ? "open" : "closed";
}
