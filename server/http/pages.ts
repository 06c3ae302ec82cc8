import express, { type Request, type RequestHandler, type Response } from "express";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PrecompressedFiles } from "./precompressed.ts";
import { sandboxPolicy, setPagePolicy } from "./security-headers.ts";

const noCache = "no-cache";
const immutable = "public, max-age=31536000, immutable";

/** The built pages: the volunteer page at `/`, the admin page at `/admin`, the sandbox in which browsers run kernels. */
export function pages(webRoot: string): express.Router {
  const router = express.Router();
  const files = new PrecompressedFiles();
  const send = async (req: Request, res: Response, name: string): Promise<boolean> =>
    files.send(req, res, join(webRoot, name));

  const page =
    (name: string): RequestHandler =>
    async (req, res) => {
      setPagePolicy(req, res);
      res.setHeader("Cache-Control", noCache);
      if (!(await send(req, res, name))) sendNotBuilt(res);
    };
  const sandbox: RequestHandler = async (req, res) => {
    res.setHeader("Cache-Control", noCache);
    const html = await readFile(join(webRoot, "sandbox.html"), "utf8").catch(() => undefined);
    if (html !== undefined) res.setHeader("Content-Security-Policy", sandboxPolicy(html));
    if (html === undefined || !(await send(req, res, "sandbox.html"))) sendNotBuilt(res);
  };
  router.get("/", page("index.html"));
  router.get("/admin", page("admin.html"));

  router.get("/sandbox.html", sandbox);

  // Names of files under assets/ carry a hash of their content.
  router.use("/assets", setCaching(immutable), compressed(files, join(webRoot, "assets")));
  router.use(setCaching(noCache), compressed(files, webRoot));
  return router;
}

function setCaching(value: string): RequestHandler {
  return (req, res, next) => {
    if (req.method === "GET" || req.method === "HEAD") {
      res.locals["caching"] = value;
      // A worker is bound by the policy of its own script, not by the page's.
      setPagePolicy(req, res);
    }
    next();
  };
}

/** Files of a directory: scripts and styles compressed, the others (and every odd path) left to express.static. */
function compressed(files: PrecompressedFiles, directory: string): RequestHandler {
  const plain = express.static(directory, {
    index: false,
    redirect: false,
    dotfiles: "ignore",
    cacheControl: false,
    setHeaders: (res) => {
      const { locals } = res;
      res.setHeader("Cache-Control", locals["caching"] as string);
    },
  });
  const simpleName = /^\/[\w-][\w.-]*\.(?:js|css|svg|webmanifest|json)$/;
  return async (req, res, next) => {
    if ((req.method === "GET" || req.method === "HEAD") && simpleName.test(req.path)) {
      res.setHeader("Cache-Control", res.locals["caching"] as string);
      if (await files.send(req, res, join(directory, req.path))) return;
      res.removeHeader("Cache-Control");
    }
    if (existsSync(directory)) await plain(req, res, next);
    else next();
  };
}

/** A checkout without built pages still computes and serves customers. */
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
