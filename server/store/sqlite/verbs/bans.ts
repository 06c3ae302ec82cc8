import type { Transaction } from "../transaction.ts";

export interface Ban {
  subject: string;
  reason: string;
  at: number;
}

export function ban({ db, clock }: Transaction, subject: string, reason: string): void {
  db.run(
    `INSERT INTO bans (subject, reason, at) VALUES (?, ?, ?)
     ON CONFLICT (subject) DO UPDATE SET reason = excluded.reason, at = excluded.at`,
    subject,
    reason,
    clock(),
  );
}

export function unban({ db }: Transaction, subject: string): boolean {
  return db.run("DELETE FROM bans WHERE subject = ?", subject) > 0;
}

export function listBans({ db }: Transaction): Ban[] {
  return db.all<Ban>("SELECT subject, reason, at FROM bans ORDER BY at, subject").map((row) => ({ ...row }));
}
