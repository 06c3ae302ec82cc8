import { recordLimits } from "../../../../shared/limits.ts";
import type { ActionRow, NewAction } from "../../store.ts";
import type { Step } from "../database.ts";
import type { Transaction } from "../transaction.ts";

type ActionColumns = Omit<ActionRow, "refusal"> & { readonly refusal: string | null };

export function* recordAction({ db, clock }: Transaction, action: NewAction): Step<number> {
  const { actor, token, action: route, subject } = action;
  const added = yield* db.get<{ number: number }>(
    `INSERT INTO auditLog (at, actor, token, action, subject, detail) VALUES (?, ?, ?, ?, ?, '') RETURNING number`,
    clock(),
    actor,
    token,
    route,
    subject,
  );
  const { number } = added!;
  db.write("DELETE FROM auditLog WHERE number <= ?", number - recordLimits.auditEntries);
  return number;
}

export function* amendAction(
  { db }: Transaction,
  number: number,
  { detail, refusal }: { readonly detail?: string; readonly refusal?: string },
): Step<void> {
  yield* db.run(
    "UPDATE auditLog SET detail = coalesce(?, detail), refusal = coalesce(?, refusal) WHERE number = ?",
    detail ?? null,
    refusal ?? null,
    number,
  );
}

export function* listActions(
  { db }: Transaction,
  limit: number,
  before = Number.MAX_SAFE_INTEGER,
): Step<ActionRow[]> {
  const rows = yield* db.all<ActionColumns>(
    "SELECT * FROM auditLog WHERE number < ? ORDER BY number DESC LIMIT ?",
    before,
    limit,
  );
  return rows.map((row) => ({ ...row, refusal: row.refusal ?? undefined }));
}
