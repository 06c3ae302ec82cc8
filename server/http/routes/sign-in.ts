import * as v from "valibot";
import { PlatformError } from "../../../shared/errors.ts";
import { roles } from "../../../shared/wire/rest/tokens.ts";
import { parseBody } from "../body.ts";
import type { HttpParts, Routes } from "../context.ts";
import { reply } from "../reply.ts";
import { clearSignIn, signInOf, setSignIn } from "../sign-in-cookie.ts";

type Names = "POST /api/sign-in" | "GET /api/sign-in" | "DELETE /api/sign-in";

/** Body of `POST /api/sign-in`. */
export const signInSchema = v.strictObject({ token: v.pipe(v.string(), v.minLength(1), v.maxLength(200)) });

/** Role and name of the caller; both null without a token or sign-in. */
export const signedInSchema = v.strictObject({
  role: v.nullable(v.picklist(roles)),
  name: v.nullable(v.string()),
});

const signInBytes = 4096;

/** Sign-in of browsers: a token is exchanged for a cookie, so that the page need not keep the token. */
export function signInRoutes({ access, platform, log }: HttpParts): Routes<Names> {
  return {
    "POST /api/sign-in": async (call) => {
      const { req, res } = call;
      const { token } = await parseBody(req, res, signInSchema, signInBytes);
      const signIn = await access.openSignIn(token.trim());
      if (!signIn) throw new PlatformError("UNAUTHENTICATED", "This token is wrong, revoked or expired.");
      const { role, name } = signIn.principal;
      if (role !== "admin" && role !== "customer") {
        await access.closeSignIn(signIn.id);
        throw new PlatformError(
          "FORBIDDEN",
          `This token is for a ${role}; expected an admin's or a customer's.`,
        );
      }
      if (role === "admin")
        await platform
          .recordAction({
            actor: name,
            token: signIn.principal.tokenId,
            action: "POST /api/sign-in",
            subject: "",
          })
          .catch((error: unknown) => log.warn({ err: error }, "the audit log is not written"));
      setSignIn(req, res, signIn.id, signIn.expiresAt);
      res.set("Cache-Control", "no-store");
      reply(call, { role, name });
    },
    "GET /api/sign-in": (call) => {
      const { caller } = call;
      call.res.set("Cache-Control", "no-store");
      reply(
        call,
        caller?.kind === "token" ? { role: caller.role, name: caller.name } : { role: null, name: null },
      );
    },
    "DELETE /api/sign-in": async ({ req, res }) => {
      const id = signInOf(req);
      if (id) await access.closeSignIn(id);
      clearSignIn(req, res);
      res.status(204).end();
    },
  };
}
