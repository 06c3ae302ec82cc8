import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

export interface Ban {
  subject: string;
  reason: string;
  at: number;
}

export function* ban({ db, clock }: Transaction, subject: string, reason: string): Step<void> {
  yield* db.run(
    `INSERT INTO bans (subject, reason, at) VALUES (?, ?, ?)
     ON CONFLICT (subject) DO UPDATE SET reason = excluded.reason, at = excluded.at`,
    subject,
    reason,
    clock(),
  );
}

export function* unban({ db }: Transaction, subject: string): Step<boolean> {
  return (yield* db.run("DELETE FROM bans WHERE subject = ?", subject)) > 0;
}

export function* listBans({ db }: Transaction): Step<Ban[]> {
  return (yield* db.all<Ban>("SELECT subject, reason, at FROM bans ORDER BY at, subject")).map((row) => ({
    ...row,
  }));
}
