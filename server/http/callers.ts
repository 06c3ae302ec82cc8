import type { Request, RequestHandler } from "express";
import { PlatformError } from "../../shared/errors.ts";
import type { Access } from "../access/access.ts";
import { bearerOf } from "../access/bearer.ts";
import type { Caller } from "../access/rules.ts";
import { provesSameOrigin } from "../access/same-origin.ts";
import type { Platform } from "../platform.ts";
import { signInOf } from "./sign-in-cookie.ts";

const callers = new WeakMap<Request, Caller>();

/** Who sends a request, once {@link identifyCaller} has looked. */
export function callerOf(req: Request): Caller | undefined {
  return callers.get(req);
}

/** Finds out who sends each request. A wrong token is nobody: what nobody may do is refused later, by the route's rule. */
export function identifyCaller(access: Access, platform: Platform): RequestHandler {
  return async (req, _res, next) => {
    const caller = await findCaller(req, access, platform);
    if (caller) callers.set(req, caller);
    next();
  };
}

/** @throws PlatformError ORIGIN_REFUSED for a cookie on a change that no page of this server made */
export async function findCaller(
  req: Request,
  access: Access,
  platform: Platform,
): Promise<Caller | undefined> {
  const secret = bearerOf(req);
  if (secret !== undefined) {
    const client = platform.clientOfTicket(secret);
    if (client) return { kind: "ticket", client: client.id, trusted: client.trusted };
    const principal = await access.authenticate(secret);
    return principal && { kind: "token", ...principal };
  }
  const principal = await access.authenticateSignIn(signInOf(req));
  if (!principal) return undefined;
  const isRead = req.method === "GET" || req.method === "HEAD";
  if (!isRead && !provesSameOrigin(req.headers, req.host))
    throw new PlatformError(
      "ORIGIN_REFUSED",
      "A change under a signed-in browser's cookie has to come from a page of this server.",
    );
  return { kind: "token", ...principal };
}
