import type { Request, RequestHandler } from "express";
import { PlatformError } from "../../shared/errors.ts";
import type { Access } from "../access/access.ts";
import { bearerOf } from "../access/bearer.ts";
import type { Caller } from "../access/rules.ts";
import { provesSameOrigin } from "../access/same-origin.ts";
import type { Platform } from "../platform.ts";
import { signInOf } from "./sign-in-cookie.ts";

const callers = new WeakMap<Request, Caller>();

/** The caller of a request that {@link identifyCaller} has handled; undefined without a valid token. */
export function callerOf(req: Request): Caller | undefined {
  return callers.get(req);
}

/** Identifies the caller of each request. A request with a wrong token has no caller, and the route's rule refuses it later. */
export function identifyCaller(access: Access, platform: Platform): RequestHandler {
  return async (req, _res, next) => {
    const caller = await findCaller(req, access, platform);
    if (caller) callers.set(req, caller);
    next();
  };
}

/** @throws PlatformError ORIGIN_REFUSED for a change with a cookie that no page of this server sent */
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
