import { onTestFinished } from "vitest";
import { customerCode } from "../../customer/customer-code.ts";
import { startServer, type RunningServer } from "../../server/server.ts";
import type { ServerOptions } from "../../server/options.ts";
import { labHost } from "../../scripts/lab-host.ts";
import { send } from "./jobs.ts";
import { temporaryDirectory } from "./processes.ts";

/** A real server, its directory, and its REST interface. */
export interface TestServer extends RunningServer {
  readonly dataDirectory: string;
  /** Sends a JSON request with the admin token. @returns the body of the reply */
  api(method: string, path: string, body?: unknown): Promise<Record<string, never>>;
}

/** Starts a real server in this process, on a free port unless told otherwise. The caller closes it. */
export function startQuietServer(options: Partial<ServerOptions>): Promise<RunningServer> {
  return startServer({
    port: 0,
    logLevel: "silent",
    auditors: 0,
    allowHosts: [labHost],
    customerCode,
    ...options,
  });
}

/** Starts a real server on a free port and a directory of its own, which is closed at the end of the test. */
export async function startTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const dataDirectory = options.dataDirectory ?? (await temporaryDirectory());
  process.env["XDG_STATE_HOME"] ??= dataDirectory;
  const server = await startQuietServer({ ...options, dataDirectory });
  onTestFinished(() => server.close());
  const api = async (method: string, path: string, body?: unknown): Promise<Record<string, never>> => {
    const response = await send(server, method, path, body);
    const text = await response.text();
    return (text ? JSON.parse(text) : {}) as Record<string, never>;
  };
  return { ...server, dataDirectory, api };
}
