import type { Request, RequestHandler } from "express";
import { ipKeyGenerator, rateLimit } from "express-rate-limit";
import { PlatformError } from "../../shared/errors.ts";
import { callerOf } from "./callers.ts";

const windowMs = 60_000;
/** Programs of known people may ask more often than strangers; a script that runs wild is still stopped. */
const tokenFactor = 10;

/**
 * Bounds requests a minute: per token for who shows one, per address for everybody else. Connected clients' blob transfers
 * do not count: their number is bounded by the tasks they were given.
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
  // What volunteers put takes disk: that is counted.
  return req.method !== "PUT" || caller.trusted;
}
