import { PlatformError } from "../../../../shared/errors.ts";
import type { JobId } from "../../../../shared/ids.ts";
import { recordLimits } from "../../../../shared/limits.ts";
import type { AttachmentRow, NewAttachment } from "../../store.ts";
import type { Step } from "../database.ts";
import type { Transaction } from "../transaction.ts";

export function* attach(
  { db, jobs, usage, clock }: Transaction,
  id: JobId,
  { name, type, content }: NewAttachment,
): Step<AttachmentRow> {
  const job = yield* jobs.need(id);
  const { others, before } = (yield* db.get<{ others: number; before: number }>(
    `SELECT count(CASE WHEN name <> ?2 THEN 1 END) AS others, coalesce(sum(CASE WHEN name = ?2 THEN size END), 0) AS before
     FROM attachments WHERE job = ?1`,
    job.number,
    name,
  ))!;
  if (others >= recordLimits.attachmentsPerJob)
    throw new PlatformError(
      "QUOTA_EXCEEDED",
      `Job ${id} has ${others} attachments; at most ${recordLimits.attachmentsPerJob} are allowed.`,
      undefined,
      "Take one away: `manyhands attachments ID --remove NAME`.",
    );
  const growth = content.length - before;
  yield* usage.mustFit(job.row.customer, { bytes: growth });
  const row = { name, type, size: content.length, at: clock() };
  db.write(
    `INSERT INTO attachments (job, name, type, size, at, content) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (job, name) DO UPDATE SET type = excluded.type, size = excluded.size, at = excluded.at, content = excluded.content`,
    job.number,
    name,
    type,
    row.size,
    row.at,
    content,
  );
  jobs.change(job, { outputBytes: job.row.outputBytes + growth });
  return row;
}

export function* attachments({ db, jobs }: Transaction, id: JobId): Step<AttachmentRow[]> {
  const { number } = yield* jobs.need(id);
  const rows = yield* db.all<AttachmentRow>(
    "SELECT name, type, size, at FROM attachments WHERE job = ? ORDER BY name",
    number,
  );
  return rows.map((row) => ({ ...row }));
}

export function* attachment(
  { db, jobs }: Transaction,
  id: JobId,
  name: string,
): Step<(AttachmentRow & { readonly content: Uint8Array }) | undefined> {
  const { number } = yield* jobs.need(id);
  const found = yield* db.get<AttachmentRow & { content: Uint8Array }>(
    "SELECT name, type, size, at, content FROM attachments WHERE job = ? AND name = ?",
    number,
    name,
  );
  return found && { ...found };
}

export function* detach({ db, jobs }: Transaction, id: JobId, name: string): Step<boolean> {
  const job = yield* jobs.need(id);
  const found = yield* db.get<{ size: number }>(
    "SELECT size FROM attachments WHERE job = ? AND name = ?",
    job.number,
    name,
  );
  if (!found) return false;
  db.write("DELETE FROM attachments WHERE job = ? AND name = ?", job.number, name);
  jobs.change(job, { outputBytes: job.row.outputBytes - found.size });
  return true;
}
