import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import { changeTokenSchema, createTokenSchema, type CreatedToken } from "../../../shared/wire/rest/tokens.ts";
import { parseBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { urlForOthers } from "../../reachable-urls.ts";
import { parameter, reply } from "../reply.ts";

type Names = "GET /api/tokens" | "POST /api/tokens" | "PATCH /api/tokens/{id}" | "DELETE /api/tokens/{id}";

/** Tokens: made (the secret is shown only then), listed, revoked. */
export function tokenRoutes({ access, platform, options }: HttpParts): Routes<Names> {
  return {
    "GET /api/tokens": async (call) => reply(call, await access.list()),
    "POST /api/tokens": async (call) => {
      const wanted = await parseBody(call.req, call.res, createTokenSchema);
      if (wanted.role === "volunteer" && options.volunteers === "off")
        throw new PlatformError(
          "VOLUNTEERS_OFF",
          "No invitation is made while the server takes no volunteers.",
        );
      const { secret, info } = await access.createToken(wanted);
      await call.note(`${info.id}: ${info.role} “${info.name}”`);
      const created: CreatedToken = { ...info, token: secret };
      if (info.role === "volunteer" || info.role === "client") {
        const { volunteerUrls } = await platform.status();
        created.inviteUrl = inviteUrl(options.publicUrl ?? addressForOthers(call, volunteerUrls), secret);
      }
      call.res.set("Cache-Control", "no-store");
      reply(call, created, 201);
    },
    "PATCH /api/tokens/{id}": async (call) => {
      const id = parameter(call, "id");
      const { maxClients } = await parseBody(call.req, call.res, changeTokenSchema);
      const token = await access.change(id, { maxClients: maxClients ?? undefined });
      if (!token) throw noToken(id);
      await call.note(`${token.role} “${token.name}”: ${maxClients ?? "any number of"} clients`);
      reply(call, token);
    },
    "DELETE /api/tokens/{id}": async (call) => {
      const id = parameter(call, "id");
      const token = (await access.list()).find((each) => each.id === id);
      if (!(await access.revoke(id))) throw noToken(id);
      if (token) await call.note(`${token.role} “${token.name}”`);
      call.res.status(204).end();
    },
  };
}

function noToken(id: string): PlatformError {
  return new PlatformError("NOT_FOUND", `There is no token ${id}.`, undefined, hints.token);
}

/** The link whose browsers compute with this token: as volunteers, or as trusted clients with a client token. */
function inviteUrl(volunteerUrl: string, secret: string): string {
  const url = new URL(volunteerUrl);
  url.searchParams.set("invite", secret);
  return url.href;
}

/** The server's address for other machines: that of this request, which works, unless it is the machine's own loopback name. */
function addressForOthers({ req }: Call, volunteerUrls: readonly string[]): string {
  const own = `${req.protocol}://${req.host}`;
  const candidates = [...(URL.canParse(own) ? [own] : []), ...volunteerUrls];
  return urlForOthers(candidates) ?? volunteerUrls[0] ?? own;
}
