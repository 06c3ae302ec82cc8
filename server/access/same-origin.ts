import type { IncomingHttpHeaders } from "node:http";

/**
 * Whether a request comes from a page of this server, or from no page at all (curl, the SDK, a client process).
 * Browsers send `Origin`, and on secure origins `Sec-Fetch-Site` also where `Origin` is missing.
 * @param host - the name and port under which the request reached the server (behind a trusted proxy: the proxy's)
 */
export function isSameOrigin(headers: IncomingHttpHeaders, host: string | undefined): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  const { origin } = headers;
  return origin === undefined || hostOf(origin) === host?.toLowerCase();
}

/** Whether the headers prove that a page of this server made the request; demanded of requests with a cookie. */
export function provesSameOrigin(headers: IncomingHttpHeaders, host: string | undefined): boolean {
  const isTold = headers.origin !== undefined || headers["sec-fetch-site"] !== undefined;
  return isTold && headers["sec-fetch-site"] !== "none" && isSameOrigin(headers, host);
}

/** Whether a page of one of these servers made the request; unlike above, the scheme counts. */
export function isPageOf(servers: readonly string[], { origin }: IncomingHttpHeaders): boolean {
  return servers.some((server) => new URL(server).origin === origin);
}

/** The scheme is ignored: behind a proxy that ends TLS, pages are `https` and requests `http`. */
function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
