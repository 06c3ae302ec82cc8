import type { Request } from "express";
import { PlatformError } from "../../shared/errors.ts";
import { isAudited } from "../access/audited.ts";
import type { Caller, RouteName } from "../access/rules.ts";
import type { Call, HttpParts } from "./context.ts";

interface AuditEntry {
  readonly note: Call["note"];
  readonly refused: (error: unknown) => Promise<void>;
}

const nothing: AuditEntry = { note: async () => {}, refused: async () => {} };

/**
 * Notes an action of an administrator before it is done, so that none is missing after a crash. When the store cannot take the note (a full
 * disk), the server's log has it instead: what an administrator does is what makes room again.
 */
export async function auditEntry(
  action: RouteName,
  { params }: Request,
  caller: Caller | undefined,
  { platform, log }: HttpParts,
): Promise<AuditEntry> {
  if (caller?.kind !== "token" || caller.role !== "admin" || !isAudited(action)) return nothing;
  const [subject = ""] = Object.values(params).filter((value) => typeof value === "string");
  const entry = { actor: caller.name, token: caller.tokenId, action, subject: subject.slice(0, 200) };
  try {
    const number = await platform.recordAction(entry);
    const amend = async (more: { detail?: string; refusal?: string }): Promise<void> => {
      await platform
        .amendAction(number, more)
        .catch((error: unknown) =>
          log.warn({ err: error, ...entry, ...more }, "the audit log is not written"),
        );
    };
    return {
      note: (detail) => amend({ detail: detail.slice(0, 500) }),
      refused: (error) => amend({ refusal: PlatformError.from(error).code }),
    };
  } catch (error) {
    log.warn({ err: error, ...entry }, "the audit log is not written");
    return nothing;
  }
}
