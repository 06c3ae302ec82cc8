import express, { type Request, type RequestHandler, type Response } from "express";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServerOptions } from "../options.ts";
import { sendPrecompressed } from "./precompressed.ts";
import type { Platform } from "../platform.ts";
import type { Project } from "../project.ts";
import { projectPages, projectRoutes } from "./project-pages.ts";
import { originsOf, setPagePolicy, setSandboxPolicy, setWorkerPolicy } from "./security-headers.ts";

const noCache = "no-cache";
/** The volunteer page opened again soon costs no round trip (SPEC.md [PAGE-2]); a reload asks the server. */
const volunteerPage = "private, max-age=300";
const immutable = "public, max-age=31536000, immutable";

type Policy = (req: Request, res: Response, html: string) => void;

/** The built pages: the volunteer page at `/`, the admin page at `/admin`, and the browser's sandbox for kernels. */
export function pages(
  webRoot: string,
  {
    blobOrigin,
    options: { servers, volunteers },
    project,
    platform,
  }: {
    blobOrigin?: string | undefined;
    options: Pick<ServerOptions, "servers" | "volunteers">;
    project?: Project | undefined;
    platform: Pick<Platform, "status">;
  },
): express.Router {
  const router = express.Router();
  const blobs = blobOrigin === undefined ? [] : [blobOrigin];
  const setPolicy = (req: Request, res: Response, html?: string): void =>
    setPagePolicy(req, res, html, blobs);
  const page =
    (name: string, setPolicy: Policy, caching = noCache): RequestHandler =>
    async (req, res) => {
      const html = await readFile(join(webRoot, name), "utf8").catch(() => "");
      setPolicy(req, res, html);
      res.setHeader("Cache-Control", caching);
      if (!html || !(await sendPrecompressed(req, res, webRoot, name))) sendNotBuilt(res);
    };
  // The client in the volunteer page goes to another server when this one dies.
  const setVolunteerPolicy: Policy = (req, res, html) =>
    setPagePolicy(req, res, html, [...blobs, ...servers().flatMap(originsOf)]);
  const index = "index.html";
  router.get(
    "/",
    project
      ? projectPage(join(webRoot, index), project, setVolunteerPolicy)
      : page(index, setVolunteerPolicy, volunteerPage),
  );
  router.use(projectRoutes(project, platform, volunteers === "open"));
  // After a slash the page's relative addresses would be wrong.
  router.get(/^\/admin\/$/, (_req, res) => res.redirect(308, "../admin"));
  router.get("/admin", page("admin.html", setPolicy));
  router.get("/sandbox.html", page("sandbox.html", setSandboxPolicy));
  // File names under assets/ contain a hash of the content. A script or style of a page needs no policy of its own.
  router.use(
    "/assets",
    directory(join(webRoot, "assets"), immutable, () => undefined),
  );
  router.use(
    directory(webRoot, noCache, (req, res) =>
      req.path.endsWith(".js") ? setWorkerPolicy(res) : setPolicy(req, res),
    ),
  );
  return router;
}

/** The volunteer page with the project in it. */
function projectPage(file: string, project: Project, setPolicy: Policy): RequestHandler {
  const pageOf = projectPages(project);
  return async (req, res) => {
    const built = await readFile(file, "utf8").catch(() => "");
    if (!built) return sendNotBuilt(res);
    const page = pageOf(built);
    setPolicy(req, res, page.html);
    const encoding = (["br", "gzip"] as const).find((each) => req.acceptsEncodings(each));
    res
      .type("html")
      .set({ "Cache-Control": volunteerPage, ETag: `"${page.version}"`, Vary: "Accept-Encoding" });
    if (encoding) res.set("Content-Encoding", encoding);
    res.send(await page.bytes(encoding));
  };
}

/** Files of a directory: compressed scripts and styles are sent here, the others and every odd path by express.static. */
function directory(
  root: string,
  caching: string,
  setPolicy: (req: Request, res: Response) => void,
): RequestHandler {
  const setHeaders = (res: Response): void => {
    res.setHeader("Cache-Control", caching);
    setPolicy(res.req, res);
  };
  const plain = express.static(root, {
    index: false,
    redirect: false,
    dotfiles: "ignore",
    cacheControl: false,
    setHeaders,
  });
  const simpleName = /^\/[\w-][\w.-]*\.(?:js|css|svg|webmanifest|json)$/;
  return async (req, res, next) => {
    if (req.method !== "GET" && req.method !== "HEAD") {
      next();
      return;
    }
    const simple = simpleName.test(req.path);
    if (!simple || !(await sendPrecompressed(req, res, root, req.path.slice(1), setHeaders)))
      await plain(req, res, next);
  };
}

/** Without built pages a checkout still computes and serves customers. */
function sendNotBuilt(res: Response): void {
  res.status(503).set({ "Cache-Control": "no-store", "Retry-After": "10" }).type("html").send(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Manyhands: pages not built</title>
<h1>The pages of this server have not been built</h1>
<p>The server itself runs: programs and headless clients can use it. For the pages, run <code>npm run build</code>
in its directory and reload this page.</p>
</html>
`);
}
