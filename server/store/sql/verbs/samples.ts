import type { Sample } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

export function* addSample(
  { db }: Transaction,
  { minute, server, figures }: Sample,
  oldest: number,
): Step<void> {
  yield* db.run("DELETE FROM samples WHERE minute < ?", oldest);
  yield* db.run(
    `INSERT INTO samples (minute, server, figures) VALUES (?, ?, ?)
     ON CONFLICT (minute, server) DO UPDATE SET figures = excluded.figures`,
    minute,
    server,
    figures,
  );
}

export function* listSamples({ db }: Transaction, oldest: number): Step<Sample[]> {
  return yield* db.all<{ minute: number; server: string; figures: string }>(
    "SELECT minute, server, figures FROM samples WHERE minute >= ? ORDER BY minute, server",
    oldest,
  );
}
