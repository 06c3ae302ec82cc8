import * as v from "valibot";
import { recordLimits } from "../../limits.ts";
import { pageLength } from "./pages.ts";

/** An action of an administrator, an entry of `GET /api/audit`. */
export const auditEntrySchema = v.object({
  number: v.number(),
  /** ms since the Unix epoch. */
  at: v.number(),
  /** Name and id of the token. */
  actor: v.string(),
  token: v.string(),
  /** The route, as METHOD /path/{parameter}. */
  action: v.string(),
  /** What the action was on: the parameter of the route. */
  subject: v.string(),
  detail: v.string(),
  /** Code of the error with which it was refused; null when it was done. */
  refusal: v.nullable(v.string()),
});
export type AuditEntry = v.InferOutput<typeof auditEntrySchema>;

/** The query of `GET /api/audit`. */
export const auditQuerySchema = v.strictObject({
  limit: pageLength(recordLimits.auditPage),
  cursor: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/, "expected what Next-Cursor said"))),
});
