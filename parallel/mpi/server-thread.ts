import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ServerOptions } from "../../server/options.ts";
import { PlatformError, refusalOf, type ErrorBody } from "../../shared/errors.ts";
import { moduleBeside } from "../../system/module-beside.ts";

/** The server has this long to end in order; killing it afterwards is safe, because acknowledged results are on disk. */
const endMs = 10_000;

export type FromServerThread =
  | { readonly type: "started"; readonly url: string; readonly token: string }
  | { readonly type: "refused"; readonly error: ErrorBody };

/** A server of this program's own. */
export interface ServerThread {
  readonly url: string;
  /** Admin token. */
  readonly token: string;
  /** Resolves when the server has stopped in order. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a server in a thread of this process, which answers the ranks while the program itself computes, and ends with the program
 * in any case.
 * @throws PlatformError refusals of `startServer`
 */
export async function startServerThread(
  options: Partial<ServerOptions>,
  onDied: (error: PlatformError) => void,
): Promise<ServerThread> {
  const worker = new Worker(moduleBeside(import.meta.url, "server-entry"), { workerData: options });
  const exited = once(worker, "exit").catch(() => undefined);
  const first = await Promise.race([
    once(worker, "message").then(([message]) => message as FromServerThread),
    exited.then(() => undefined),
  ]);
  if (first?.type !== "started") {
    await exited;
    if (first) throw refusalOf(first.error);
    throw new PlatformError("INTERNAL", "The server's thread did not start.");
  }
  worker.on("error", (error) =>
    onDied(new PlatformError("INTERNAL", "The server of this program died.", error)),
  );
  let closing: Promise<unknown> | undefined;
  return {
    url: first.url,
    token: first.token,
    async close() {
      if (!closing) {
        closing = exited;
        worker.postMessage("close");
        const late = setTimeout(() => void worker.terminate(), endMs);
        void exited.then(() => clearTimeout(late));
      }
      await closing;
    },
  };
}
