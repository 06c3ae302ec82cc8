// The thread in which a program's own server runs; see server-thread.ts.
import { parentPort, workerData } from "node:worker_threads";
import type { ServerOptions } from "../../server/options.ts";
import { startServer } from "../../server/server.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { FromServerThread } from "./server-thread.ts";

const post = (message: FromServerThread): void => parentPort?.postMessage(message);
try {
  const server = await startServer(workerData as Partial<ServerOptions>);
  post({ type: "started", url: server.url, token: server.token });
  parentPort?.once("message", () => void server.close().finally(() => parentPort?.close()));
} catch (error) {
  post({ type: "refused", error: PlatformError.from(error).toBody() });
  parentPort?.close();
}
