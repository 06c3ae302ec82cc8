import * as v from "valibot";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import { limits } from "../../../shared/limits.ts";
import { check, parseOptionalBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { principalOf } from "../ownership.ts";
import { nameSilent, parameter, reply, serversOf } from "../reply.ts";

type Names =
  | "GET /api/clients"
  | "POST /api/clients/{id}/disconnect"
  | "POST /api/clients/{id}/ban"
  | "GET /api/bans"
  | "DELETE /api/bans/{subject}";

/** Body of `POST /api/clients/{id}/ban`; may be left out. */
export const banSchema = v.strictObject({
  reason: v.optional(v.pipe(v.string(), v.maxLength(limits.messageChars)), "by the administrator"),
});

const subjectSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(limits.nameChars));

/** Clients: listed and banned. */
export function clientRoutes({ platform }: HttpParts): Routes<Names> {
  return {
    "GET /api/clients": async (call) => {
      const isAdmin = principalOf(call).role === "admin";
      const { clients, silent } = await platform.clients(serversOf(call));
      nameSilent(call, silent);
      // Volunteers' addresses are hidden from customers.
      reply(call, isAdmin ? clients : clients.map((client) => ({ ...client, address: "" })));
    },
    "POST /api/clients/{id}/disconnect": (call) => {
      platform.disconnectClient(subjectOf(call, "id"));
      call.res.status(204).end();
    },
    "POST /api/clients/{id}/ban": async (call) => {
      const { reason } = await parseOptionalBody(call.req, call.res, banSchema);
      await platform.banClient(subjectOf(call, "id"), reason);
      await call.note(reason);
      call.res.status(204).end();
    },
    "GET /api/bans": async (call) => reply(call, await platform.bans()),
    "DELETE /api/bans/{subject}": async (call) => {
      const subject = subjectOf(call, "subject");
      if (!(await platform.unbanClient(subject)))
        throw new PlatformError("NOT_FOUND", `There is no ban on ${subject}.`, undefined, hints.ban);
      call.res.status(204).end();
    },
  };
}

function subjectOf(call: Call, name: string): string {
  return check(subjectSchema, parameter(call, name), "address");
}
