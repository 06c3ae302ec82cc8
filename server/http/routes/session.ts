import * as v from "valibot";
import { PlatformError } from "../../../shared/errors.ts";
import { roles } from "../../../shared/wire/rest.ts";
import { parseBody } from "../body.ts";
import type { HttpParts, Routes } from "../context.ts";
import { reply } from "../reply.ts";
import { clearSession, sessionOf, setSession } from "../session-cookie.ts";

type Names = "POST /api/session" | "GET /api/session" | "DELETE /api/session";

/** Body of `POST /api/session`. */
export const signInSchema = v.strictObject({ token: v.pipe(v.string(), v.minLength(1), v.maxLength(200)) });

/** Who is asking; both null for nobody. */
export const sessionSchema = v.strictObject({
  role: v.nullable(v.picklist(roles)),
  name: v.nullable(v.string()),
});

const signInBytes = 4096;

/** Sign-in of browsers: a token is exchanged for a cookie, so that the page need not keep the token. */
export function sessionRoutes({ access }: HttpParts): Routes<Names> {
  return {
    "POST /api/session": async (call) => {
      const { req, res } = call;
      const { token } = await parseBody(req, res, signInSchema, signInBytes);
      const session = await access.openSession(token.trim());
      if (!session) throw new PlatformError("UNAUTHENTICATED", "This token is wrong, revoked or expired.");
      const { role, name } = session.principal;
      if (role !== "admin" && role !== "customer") {
        access.closeSession(session.id);
        throw new PlatformError(
          "FORBIDDEN",
          `This token is for a ${role}; expected an admin's or a customer's.`,
        );
      }
      setSession(req, res, session.id, session.expiresAt);
      res.set("Cache-Control", "no-store");
      reply(call, { role, name });
    },
    "GET /api/session": (call) => {
      const { caller } = call;
      call.res.set("Cache-Control", "no-store");
      reply(
        call,
        caller?.kind === "token" ? { role: caller.role, name: caller.name } : { role: null, name: null },
      );
    },
    "DELETE /api/session": ({ req, res }) => {
      const id = sessionOf(req);
      if (id) access.closeSession(id);
      clearSession(req, res);
      res.status(204).end();
    },
  };
}
