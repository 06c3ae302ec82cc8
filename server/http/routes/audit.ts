import { recordLimits } from "../../../shared/limits.ts";
import { auditQuerySchema, type AuditEntry } from "../../../shared/wire/rest/audit.ts";
import { nextCursorHeader } from "../../../shared/wire/rest/pages.ts";
import { check } from "../body.ts";
import type { HttpParts, Routes } from "../context.ts";
import { query, reply } from "../reply.ts";

/** The audit log: what administrators did. */
export function auditRoutes({ platform }: HttpParts): Routes<"GET /api/audit"> {
  return {
    "GET /api/audit": async (call) => {
      const given = ["limit", "cursor"].map((name) => [name, query(call, name)]);
      const { limit = recordLimits.auditPage, cursor } = check(
        auditQuerySchema,
        Object.fromEntries(given.filter(([, value]) => value !== undefined)),
        "query",
      );
      const rows = await platform.actions(limit + 1, cursor === undefined ? undefined : Number(cursor));
      const page = rows.slice(0, limit);
      if (rows.length > limit) call.res.setHeader(nextCursorHeader, String(page.at(-1)!.number));
      reply(
        call,
        page.map(({ refusal, ...row }): AuditEntry => ({ ...row, refusal: refusal ?? null })),
      );
    },
  };
}
