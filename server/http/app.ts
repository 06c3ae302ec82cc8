import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from "express";
import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import { clientSocketPath } from "../../shared/wire/protocol.ts";
import { authorise, routeNames, type Caller, type RouteName } from "../access/rules.ts";
import { watchAccess } from "../access/watch-access.ts";
import { auditEntry } from "./audit-entry.ts";
import { callerOf, findCaller, identifyCaller } from "./callers.ts";
import type { Call, Handler, HttpParts, Routes } from "./context.ts";
import { errorHandler } from "./errors.ts";
import { createMetrics } from "./metrics.ts";
import { PushStreams } from "./push-streams.ts";
import { clientProgram } from "./client-program.ts";
import { pages } from "./pages.ts";
import { passOn } from "./pass-on.ts";
import { ReadingTurns } from "./reading-turns.ts";
import { rateLimits } from "./rate-limits.ts";
import { blobRoutes } from "./routes/blobs.ts";
import { clientRoutes } from "./routes/clients.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { kernelRoutes } from "./routes/kernels.ts";
import { precacheRoutes } from "./routes/precache.ts";
import { progressRoutes } from "./routes/progress.ts";
import { programRoutes } from "./routes/programs.ts";
import { wheelRoutes } from "./routes/wheels.ts";
import { attachmentRoutes } from "./routes/attachments.ts";
import { auditRoutes } from "./routes/audit.ts";
import { publicStatusRoutes } from "./routes/public-status.ts";
import { changeJobsRoutes } from "./routes/change-jobs.ts";
import { requeueRoutes } from "./routes/requeue.ts";
import { taskViewRoutes } from "./routes/task-views.ts";
import { provisionalRoutes } from "./routes/provisional.ts";
import { resultRoutes } from "./routes/results.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { statusRoutes } from "./routes/status.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { upkeepRoutes } from "./routes/upkeep.ts";
import { usageRoutes } from "./routes/usage.ts";
import { whyRoutes } from "./routes/why.ts";
import { knownHosts, refuseHost, type KnowsHosts } from "../access/known-hosts.ts";
import { signInGroup } from "./sign-in-cookie.ts";
import { isPageOf, isSameOrigin } from "../access/same-origin.ts";
import { securityHeaders } from "./security-headers.ts";

export { configureHttpServer } from "./configure-server.ts";

/** Transfers of blobs, which pages of the other servers may request as well (SPEC.md [SERVERS-4]). */
const transferPath = /^\/api\/blobs\/[\da-f]{64}(?:\/chunks|\/upload)?$/;

/** The HTTP side of a server: the REST interface, the pages, health and metrics; a listener for `http.createServer`. */
export function createHttpApp(parts: HttpParts): Express {
  const { access, platform, options, stopping } = parts;
  const metrics = parts.metrics ?? createMetrics();
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  // Only our own proxy's entry of X-Forwarded-For is trusted, because a sender can write the others.
  app.set("trust proxy", options.trustProxy ? 1 : false);
  app.set("query parser", "simple");
  app.set(signInGroup, parts.signIns);
  app.set("case sensitive routing", true);
  app.use(metrics.time, securityHeaders, refuseForeign(options.servers));
  app.use((req, res, next) => {
    // A connection whose last reply began before the stop would stay open for another request.
    res.once("finish", () => stopping?.aborted && req.socket.end());
    if (stopping?.aborted && req.path !== "/healthz") {
      res.setHeader("Connection", "close");
      throw new PlatformError("SHUTTING_DOWN", "The server is going down.");
    }
    next();
  });
  if (parts.servers) app.use(transferPath, passOn(parts.servers));
  app.use("/api", identifyCaller(access, platform), ticketsOfOtherPages);
  app.use("/metrics", identifyCaller(access, platform));
  app.use(refuseUnknownHosts(parts.knowsHosts ?? knownHosts(options)));
  app.use(rateLimits(options.requestsPerMinutePerAddress));

  const streams = new PushStreams();
  const turns = new ReadingTurns();
  const routes: Routes<RouteName> = {
    ...jobRoutes(parts),
    ...taskRoutes(parts),
    ...taskViewRoutes(parts),
    ...requeueRoutes(parts),
    ...changeJobsRoutes(parts),
    ...attachmentRoutes(parts),
    ...auditRoutes(parts),
    ...publicStatusRoutes(parts),
    ...resultRoutes(parts, turns),
    ...provisionalRoutes(parts, turns),
    ...progressRoutes(parts, streams),
    ...precacheRoutes(parts, streams),
    ...blobRoutes(parts),
    ...kernelRoutes(parts),
    ...clientRoutes(parts),
    ...usageRoutes(parts),
    ...tokenRoutes(parts),
    ...signInRoutes(parts),
    ...statusRoutes(parts, metrics, streams),
    ...upkeepRoutes(parts, streams),
    ...whyRoutes(parts),
    ...programRoutes(parts),
    ...wheelRoutes(parts),
  };
  app.options(transferPath, answerPreflight);
  for (const name of routeNames) addRoute(app, name, routes[name], parts);
  refuseOtherMethods(app);
  app.get(clientSocketPath, () => {
    throw new PlatformError(
      "UPGRADE_REQUIRED",
      "This address speaks WebSocket only; expected an upgrade request.",
    );
  });
  if (parts.clientProgram) app.use(clientProgram(parts.clientProgram));
  app.use(
    pages(parts.webRoot, {
      blobOrigin: parts.blobs.signedOrigin,
      options,
      project: parts.project,
      platform,
    }),
  );
  app.use((req) => {
    throw new PlatformError(
      "NOT_FOUND",
      `There is nothing at ${req.method} ${req.path.slice(0, 200)}.`,
      undefined,
      hints.address,
    );
  });
  app.use(errorHandler(parts.log));
  return app;
}

/** Refuses requests of other origins' pages, except for our pages, and for transfers of blobs by pages of the other servers. */
function refuseForeign(servers: () => readonly string[]): RequestHandler {
  return (req, res, next) => {
    // A link from elsewhere may lead to the pages, but not to a request with an effect.
    const isLink = req.method === "GET" && req.headers["sec-fetch-mode"] === "navigate";
    const isInterface = /^\/(?:api|metrics)(?:\/|$)/.test(req.path);
    if (isSameOrigin(req.headers, req.host) || (isLink && !isInterface)) return next();
    if (!transferPath.test(req.path) || !isPageOf(servers(), req.headers)) return next(foreign());
    res.vary("Origin").set({
      "Access-Control-Allow-Origin": req.headers.origin ?? "",
      "Access-Control-Expose-Headers": "Accept-Encoding, Upload-Offset",
    });
    res.locals["isOtherPage"] = true;
    next();
  };
}

function foreign(): PlatformError {
  return new PlatformError("ORIGIN_REFUSED", "This request comes from a page of another origin.");
}

/** A page of another server shows the ticket of its client: no cookie, and no token of a person. A preflight shows nothing. */
function ticketsOfOtherPages(req: Request, res: Response, next: NextFunction): void {
  const isPermitted = req.method === "OPTIONS" || callerOf(req)?.kind === "ticket";
  next(res.locals["isOtherPage"] === true && !isPermitted ? foreign() : undefined);
}

/** Permits the requests of a browser's client. */
function answerPreflight(_req: Request, res: Response, next: NextFunction): void {
  if (res.locals["isOtherPage"] !== true) return next();
  res
    .set("Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH")
    .set(
      "Access-Control-Allow-Headers",
      "Authorization, Content-Encoding, Content-Type, Range, Upload-Complete, Upload-Length, Upload-Offset",
    )
    .set("Access-Control-Max-Age", "7200")
    .sendStatus(204);
}

/**
 * Refuses unknown host names. A valid token lifts this: no page of another site has one, and programs may use any name of the server. So
 * does the absence of a name in a health check: balancers check in HTTP/1.0, and every browser names a host.
 */
function refuseUnknownHosts(knowsHosts: KnowsHosts): RequestHandler {
  return (req, _res, next) => {
    const isNameless = req.path === "/healthz" && req.headers.host === undefined;
    if (callerOf(req) === undefined && !isNameless && !knowsHosts(req.headers)) refuseHost(req.headers);
    next();
  };
}

/** The error of all ended replies: a new error for each, with its stack, would cost 30 µs. */
const otherSideGone = new Error("The other side has gone.");

function splitName(name: RouteName): { method: string; path: string } {
  const at = name.indexOf(" ");
  return { method: name.slice(0, at), path: name.slice(at + 1) };
}

const pathPattern = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ":$1");

function addRoute(app: Express, name: RouteName, handler: Handler, parts: HttpParts): void {
  const { method, path } = splitName(name);
  const verb = method.toLowerCase() as "get" | "head" | "post" | "put" | "patch" | "delete";
  app[verb](pathPattern(path), async (req, res, next) => {
    // Express gives HEAD to GET's handler, which is wrong for streams and listeners.
    if (req.method !== method) {
      next();
      return;
    }
    res.locals["route"] = path;
    const caller = callerOf(req);
    authorise(name, caller);
    const gone = new AbortController();
    res.once("close", () => gone.abort(otherSideGone));
    const signal = parts.stopping ? AbortSignal.any([gone.signal, parts.stopping]) : gone.signal;
    const stillAllowed = stillAllowedOf(req, caller, parts);
    const entry = await auditEntry(name, req, caller, parts);
    try {
      await handler({ req, res, caller, signal, stillAllowed, note: entry.note });
    } catch (error) {
      await entry.refused(error);
      next(error);
    }
  });
}

/** Whether the caller may still read; asked before each part of a lasting reply. */
function stillAllowedOf(
  req: Request,
  caller: Caller | undefined,
  { access, platform }: HttpParts,
): Call["stillAllowed"] {
  if (caller === undefined) return async () => true;
  const find = (): Promise<Caller | undefined> => findCaller(req, access, platform);
  // `access` does not report the end of a client's ticket.
  return caller.kind === "token" ? watchAccess(access, find) : async () => (await find()) !== undefined;
}

function refuseOtherMethods(app: Express): void {
  const methods = new Map<string, string[]>();
  for (const name of routeNames) {
    const { method, path } = splitName(name);
    methods.set(path, [...(methods.get(path) ?? []), method]);
  }
  for (const [path, allowed] of methods)
    app.all(pathPattern(path), (req, res) => {
      res.locals["route"] = path;
      res.setHeader("Allow", allowed.join(", "));
      throw new PlatformError(
        "METHOD_NOT_ALLOWED",
        `${req.method} is not possible at ${path}; expected ${allowed.join(" or ")}.`,
      );
    });
}
