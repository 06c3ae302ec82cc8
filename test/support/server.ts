import { onTestFinished } from "vitest";
import { startServer, type RunningServer } from "../../server/server.ts";
import type { ServerOptions } from "../../server/options.ts";
import { temporaryDirectory } from "./processes.ts";

/** Everything a test needs to call the REST interface of a server. */
export interface TestServer extends RunningServer {
  readonly dataDirectory: string;
  /** A JSON request with the admin token; the body of the reply. */
  api(method: string, path: string, body?: unknown): Promise<Record<string, never>>;
}

/** A real server on a free port and a directory of its own, closed when the test is over. */
export async function startTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const dataDirectory = options.dataDirectory ?? (await temporaryDirectory());
  process.env["XDG_STATE_HOME"] ??= dataDirectory;
  const server = await startServer({ port: 0, logLevel: "silent", ...options, dataDirectory });
  onTestFinished(() => server.close());
  const api = async (method: string, path: string, body?: unknown): Promise<Record<string, never>> => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${server.token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return (text ? JSON.parse(text) : {}) as Record<string, never>;
  };
  return { ...server, dataDirectory, api };
}
