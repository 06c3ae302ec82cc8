import * as v from "valibot";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import { limits } from "../../../shared/limits.ts";
import {
  clientActionSchema,
  clientCountHeader,
  clientQuerySchema,
  type ClientsActed,
} from "../../../shared/wire/rest/clients.ts";
import { nextCursorHeader } from "../../../shared/wire/rest/pages.ts";
import { pageOfClients } from "../../client-pages.ts";
import { check, parseBody, parseOptionalBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { principalOf } from "../ownership.ts";
import { nameSilent, parameter, query, reply, serversOf } from "../reply.ts";

type Names =
  | "GET /api/clients"
  | "POST /api/clients"
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
  /** Ids with the names of those that are known, for the audit log: it is read when nobody knows them any more. */
  const named = async (ids: readonly string[]): Promise<string> => {
    const { clients } = await platform.clients("all");
    const names = new Map(clients.map(({ id, name }) => [id, name]));
    return ids.map((id) => (names.has(id) ? `${id} “${names.get(id)}”` : id)).join(", ");
  };
  return {
    "GET /api/clients": async (call) => {
      const isAdmin = principalOf(call).role === "admin";
      const { clients: all, silent } = await platform.clients(serversOf(call));
      nameSilent(call, silent);
      // Volunteers' addresses are hidden from customers.
      const shown = isAdmin ? all : all.map((client) => ({ ...client, address: "" }));
      const given = ["search", "state", "kind", "sort", "order", "limit", "cursor"].map((name) => [
        name,
        query(call, name),
      ]);
      const asked = Object.fromEntries(given.filter(([, value]) => value !== undefined));
      if (Object.keys(asked).length === 0) return reply(call, shown);
      const { clients, count, next } = pageOfClients(shown, check(clientQuerySchema, asked, "query"));
      call.res.setHeader(clientCountHeader, count);
      if (next !== undefined) call.res.setHeader(nextCursorHeader, next);
      reply(call, clients);
    },
    "POST /api/clients": async (call) => {
      const { verb, clients, reason } = await parseBody(
        call.req,
        call.res,
        clientActionSchema,
        limits.bodyBytes,
      );
      await call.note(`${verb}: ${await named(clients)}`);
      const unknown: string[] = [];
      const unable: string[] = [];
      for (const id of new Set(clients))
        try {
          if (verb === "ban") await platform.banClient(id, reason);
          else if (verb === "disconnect") platform.disconnectClient(id);
          else if (verb === "reload") platform.reloadClient(id);
          else platform.drainClient(id, verb === "drain");
        } catch (error) {
          const { code } = PlatformError.from(error);
          if (code === "NOT_FOUND") unknown.push(id);
          else if (code === "WRONG_STATE") unable.push(id);
          else throw error;
        }
      const done = new Set(clients).size - unknown.length - unable.length;
      reply(call, { done, unknown, unable } satisfies ClientsActed);
    },
    "POST /api/clients/{id}/disconnect": async (call) => {
      const id = subjectOf(call, "id");
      await call.note(await named([id]));
      platform.disconnectClient(id);
      call.res.status(204).end();
    },
    "POST /api/clients/{id}/ban": async (call) => {
      const { reason } = await parseOptionalBody(call.req, call.res, banSchema);
      const id = subjectOf(call, "id");
      await call.note(`${await named([id])}: ${reason}`);
      await platform.banClient(id, reason);
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
