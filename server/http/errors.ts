import type { ErrorRequestHandler, NextFunction, Request, Response } from "express";
import type { Logger } from "pino";
import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";

/** Time that a refused upload may continue before its connection is cut: enough to read the refusal. */
const lingerMs = 5_000;

/**
 * The handler that turns errors into replies: a refusal becomes its status and body, any other error INTERNAL, with details in
 * the log only.
 */
export function errorHandler(log: Logger): ErrorRequestHandler {
  // Express recognises an error handler by its four parameters.
  return (error: unknown, req: Request, res: Response, _next: NextFunction) => {
    const isCutOff = !(error instanceof PlatformError) && req.destroyed && !req.complete;
    const refusal = isCutOff
      ? new PlatformError("BAD_REQUEST", "The request was cut off.", error)
      : refusalOf(error);
    const details = { err: refusal.cause ?? refusal, code: refusal.code, method: req.method, path: req.path };
    if (refusal.status >= 500 && refusal.code !== "SHUTTING_DOWN") log.error(details, "request failed");
    else log.debug(details, "request refused");
    if (res.headersSent) {
      // The reply has begun, so only a cut connection can show that it is incomplete.
      res.destroy();
      return;
    }
    linger(req);
    sendRefusal(res, refusal);
  };
}

/** Writes a refusal. */
function sendRefusal(res: Response, refusal: PlatformError): void {
  for (const name of ["Content-Encoding", "Content-Disposition", "ETag", "Last-Modified", "Accept-Ranges"])
    res.removeHeader(name);
  if (refusal.status === 401) res.setHeader("WWW-Authenticate", 'Bearer realm="manyhands"');
  if ((refusal.status === 429 || refusal.status === 503) && !res.hasHeader("Retry-After"))
    res.setHeader("Retry-After", refusal.code === "TOO_MANY" ? "10" : "2");
  res.setHeader("Cache-Control", "no-store");
  res.status(refusal.status).json(refusal.toBody());
}

/**
 * Reads on for a moment when an upload is under way, so that the sender sees the refusal instead of a reset. The reply has no
 * "Connection: close", at which Node would cut right after it.
 */
function linger(req: Request): void {
  if (req.complete) return;
  const cut = setTimeout(() => {
    if (!req.complete) req.socket.destroy();
  }, lingerMs);
  cut.unref();
  req.once("close", () => clearTimeout(cut));
  req.resume();
}

interface LibraryError {
  readonly status?: unknown;
  readonly type?: unknown;
  readonly message: string;
}

function refusalOf(error: unknown): PlatformError {
  if (error instanceof PlatformError)
    return error.code === "INTERNAL" ? internal(error.cause ?? error) : error;
  if (!(error instanceof Error)) return internal(error);
  return fromLibrary(error) ?? internal(error);
}

function internal(error: unknown): PlatformError {
  return new PlatformError("INTERNAL", "The server failed to answer this request.", error);
}

/** A refusal for an error of Express, which has a status, or of its body parser, which also has a type. */
function fromLibrary(error: Error): PlatformError | undefined {
  const { status, type, message } = error as LibraryError;
  if (typeof status !== "number" || status < 400 || status >= 500) return undefined;
  if (status === 413) return new PlatformError("TOO_LARGE", `The body is too large: ${message}.`, error);
  if (status === 415)
    return new PlatformError("UNSUPPORTED_TYPE", `The body cannot be read: ${message}.`, error);
  if (status === 416)
    return new PlatformError("RANGE_NOT_SATISFIABLE", "The range is outside the file.", error);
  if (status === 404 || (status === 403 && type === undefined))
    return new PlatformError("NOT_FOUND", "There is nothing at this address.", error, hints.address);
  return new PlatformError("BAD_REQUEST", `The request cannot be read: ${message}.`, error);
}
