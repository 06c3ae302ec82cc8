import type { Request, RequestHandler } from "express";
import { ipKeyGenerator, rateLimit } from "express-rate-limit";
import { PlatformError } from "../../shared/errors.ts";
import { callerOf } from "./callers.ts";

const windowMs = 60_000;
/** Factor for programs with a token, which may ask more often than strangers; a script that runs wild is still stopped. */
const tokenFactor = 10;

/**
 * Limits requests a minute: for each token, and for each address without a token. Blob transfers of connected clients do not
 * count, because their tasks limit them.
 */
export function rateLimits(requestsPerMinutePerAddress: number): RequestHandler {
  return rateLimit({
    windowMs,
    limit: (req) => requestsPerMinutePerAddress * (callerOf(req)?.kind === "token" ? tokenFactor : 1),
    keyGenerator: keyOf,
    skip: isTransfer,
    standardHeaders: false,
    legacyHeaders: false,
    validate: false,
    handler: (req, res, next) => {
      const info = (req as Request & { rateLimit?: { resetTime?: Date } }).rateLimit;
      const waitMs = (info?.resetTime?.getTime() ?? Date.now() + windowMs) - Date.now();
      res.setHeader("Retry-After", String(Math.max(1, Math.ceil(waitMs / 1000))));
      next(new PlatformError("TOO_MANY", `Too many requests from ${keyOf(req)} in this minute.`));
    },
  });
}

function keyOf(req: Request): string {
  const caller = callerOf(req);
  return caller?.kind === "token"
    ? `token ${caller.tokenId}`
    : `address ${ipKeyGenerator(req.ip ?? "unknown")}`;
}

function isTransfer(req: Request): boolean {
  const caller = callerOf(req);
  if (caller?.kind !== "ticket" || !req.path.startsWith("/api/blobs/")) return false;
  // Uploads of volunteers take disk space, so they count.
  return caller.trusted || req.method === "GET" || req.method === "HEAD";
}
