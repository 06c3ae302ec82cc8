import { createHash } from "node:crypto";
import type { Request, RequestHandler, Response } from "express";
import helmet from "helmet";

const common = {
  contentSecurityPolicy: false,
  // HSTS holds for all ports of a host, so it would lock a lab out of its other services.
  strictTransportSecurity: false,
  // Browsers ignore both headers with a warning on plain-HTTP lab origins, and the pages open no windows.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  // Only obsolete browsers and plug-ins use these: 150 bytes of every reply, for pages that must start on a slow network.
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
} as const;

const standard = helmet({ ...common, xFrameOptions: { action: "deny" } });
/** The volunteer page frames the sandbox page. frame-ancestors permits that; X-Frame-Options does not know opaque origins. */
const framed = helmet({ ...common, xFrameOptions: false });

/** Hosts without a letter that would end the source, or the directive, of a policy. */
const isHost = /^[\w.:[\]-]+$/;

/** Policy of every reply but pages: when a browser shows the reply, no code in it runs. */
const nothingPolicy = "default-src 'none'; frame-ancestors 'none'; sandbox";

/** Security headers of every reply; pages replace the policy with their own. */
export const securityHeaders: RequestHandler = (req, res, next) => {
  res.setHeader("Content-Security-Policy", nothingPolicy);
  const headers = req.path === "/sandbox.html" ? framed : standard;
  headers(req, res, next);
};

/**
 * Policy of the volunteer and admin pages: their own files, inline scripts and styles by hash, and this server.
 * @param others - other origins that the page may connect to
 */
export function setPagePolicy(req: Request, res: Response, html = "", others: readonly string[] = []): void {
  // Browsers may not count a WebSocket to the page's own host as 'self'.
  const host = isHost.test(req.host ?? "") ? req.host : undefined;
  const sockets = host ? ` ws://${host} wss://${host}` : "";
  res.setHeader(
    "Content-Security-Policy",
    [
      "default-src 'none'",
      ["script-src 'self'", ...hashesOf("script", html)].join(" "),
      ["style-src 'self'", ...hashesOf("style", html)].join(" "),
      "img-src 'self' data: blob:",
      ["connect-src 'self'" + sockets, ...others].join(" "),
      "worker-src 'self'",
      "manifest-src 'self'",
      "frame-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'self'",
    ].join("; "),
  );
}

/** Policy of the pages' workers, which load nothing. A worker has the policy of its own script, not of the page. */
export function setWorkerPolicy(res: Response): void {
  res.setHeader("Content-Security-Policy", "default-src 'none'");
}

/** The origins of a server's interface and of its WebSockets. */
export function originsOf(server: string): string[] {
  const { origin, host } = new URL(server);
  return isHost.test(host) ? [origin, origin.replace(/^http/, "ws")] : [];
}

/**
 * Policy of the sandbox page, which runs kernels: its own script by hash, blobs, and no network (SPEC.md [KERNEL-2]). Workers whose kernels
 * have WebGPU come from data: URLs, and inherit this policy as those from blobs do.
 */
export function setSandboxPolicy(_req: Request, res: Response, html: string): void {
  const policy = [
    "sandbox allow-scripts",
    "default-src 'none'",
    `script-src ${[...hashesOf("script", html), "blob:", "'wasm-unsafe-eval'", "'unsafe-eval'"].join(" ")}`,
    "worker-src blob: data:",
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ];
  res.setHeader("Content-Security-Policy", policy.join("; "));
}

/** Hashes of a page's inline scripts or styles, as sources of a policy. */
function hashesOf(element: "script" | "style", html: string): string[] {
  const elements = html.matchAll(new RegExp(`<${element}\\b[^>]*>([\\s\\S]*?)</${element}>`, "gi"));
  return [...elements]
    .map(([, source = ""]) => source)
    .filter((source) => source.trim() !== "")
    .map((source) => `'sha256-${createHash("sha256").update(source).digest("base64")}'`);
}
