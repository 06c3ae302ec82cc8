import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const strict =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export type Handler = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface StaticServer {
  readonly port: number;
  /** Requests so far, as `METHOD /path`. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Serves built pages with the policies of the real server. `handler` comes first, and returns whether it answered. */
export async function startStaticServer(directory: string, handler?: Handler): Promise<StaticServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    void answer(directory, handler, request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function answer(
  directory: string,
  handler: Handler | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (await handler?.(request, response)) return;
  const { pathname } = new URL(request.url ?? "/", "http://local");
  const name = pathname === "/" ? "/index.html" : pathname === "/admin" ? "/admin.html" : pathname;
  try {
    const bytes = await readFile(join(directory, normalize(name)));
    const policy = name === "/sandbox.html" ? sandboxPolicy(bytes.toString()) : strict;
    response.setHeader("content-security-policy", policy);
    response.setHeader("content-type", types[extname(name)] ?? "application/octet-stream");
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

function sandboxPolicy(html: string): string {
  const script = /<script>([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "";
  const hash = createHash("sha256").update(script).digest("base64");
  return `sandbox allow-scripts; default-src 'none'; script-src 'sha256-${hash}' blob: 'wasm-unsafe-eval' 'unsafe-eval'; worker-src blob: data:; connect-src 'none'; frame-ancestors 'self'`;
}
