import type { Standing } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

export function* saveStanding({ db, clock }: Transaction, { subject, clean, burnt }: Standing): Step<void> {
  yield* db.run(
    `INSERT INTO standings (subject, clean, burnt, at) VALUES (?, ?, ?, ?)
     ON CONFLICT (subject) DO UPDATE SET clean = excluded.clean, burnt = excluded.burnt, at = excluded.at`,
    subject,
    clean,
    burnt ? 1 : 0,
    clock(),
  );
}

export function* collectStandings({ db }: Transaction, before: number): Step<void> {
  yield* db.run("DELETE FROM standings WHERE at < ?", before);
}

export function* listStandings({ db }: Transaction): Step<Standing[]> {
  return (yield* db.all<{ subject: string; clean: number; burnt: number }>(
    "SELECT subject, clean, burnt FROM standings ORDER BY subject",
  )).map((row) => ({ ...row, burnt: row.burnt === 1 }));
}
