import { availableParallelism, hostname, totalmem } from "node:os";
import { createClient, type Client } from "../shared/client/client.ts";
import type { ClientIdentity, ClientPorts } from "../shared/client/ports.ts";
import type { ClientStatus } from "../shared/client/status.ts";
import { limits } from "../shared/limits.ts";
import { version } from "../shared/version.ts";
import { defaultCacheDirectory } from "./cache-directory.ts";
import { createLogger, type LogLevel } from "./log.ts";
import { openNodePorts } from "./ports.ts";
import { parseServerUrl } from "./server-url.ts";

export interface RunClientOptions {
  /** Address of the server: `http://host:9990`, or `host:9990`. */
  readonly server: string;
  /** Kernels computed at once; default: one a core. */
  readonly slots?: number;
  readonly token?: string;
  readonly cacheDirectory?: string;
  readonly cacheQuotaBytes?: number;
  /** How this machine is called in the list of clients; default: its host name. */
  readonly name?: string;
  /** Memory one slot has, in MiB; default: its share of four fifths of the machine's. */
  readonly memoryMb?: number;
  readonly logLevel?: LogLevel;
  readonly json?: boolean;
  /** Ends the client as SIGTERM does; a second abort is a second signal. */
  readonly signal?: AbortSignal;
}

/** Work under way has this long to finish once the client is told to end; service managers wait ten seconds. */
const drainMs = 8_000;
const summaryEveryMs = 60_000;

export const exitCodes = { done: 0, refused: 2, impatient: 130 } as const;

/**
 * Runs a client until it is told to end (SIGTERM, SIGINT) or the server refuses it for good.
 *
 * @returns exit code: 0 ended as asked, 2 refused (the reason is logged), 130 ended at once by a second signal
 * @throws PlatformError BAD_REQUEST when the address of the server is none; Error when the cache directory is unusable
 */
export async function runClient(options: RunClientOptions): Promise<number> {
  const logger = createLogger(options.logLevel ?? "info", options.json ?? false);
  const log: ClientPorts["log"] = (level, message, details) => logger[level](details ?? {}, message);
  const serverUrl = parseServerUrl(options.server);
  const slots = options.slots ?? availableParallelism();
  const cacheDirectory = options.cacheDirectory ?? defaultCacheDirectory();
  const opened = await openNodePorts({
    serverUrl,
    cacheDirectory,
    log,
    ...(options.cacheQuotaBytes !== undefined && { cacheQuotaBytes: options.cacheQuotaBytes }),
  });
  const refused = Promise.withResolvers<number>();
  const report = statusReporter(log, serverUrl, () => refused.resolve(exitCodes.refused));
  const client = createClient(opened.ports, identity(opened.client, slots, options), {
    slots,
    onStatus: (status) => report.status(status),
  });
  log("info", `Joining ${serverUrl} with ${slots} slot${slots === 1 ? "" : "s"}.`, {
    client: opened.client,
    cache: cacheDirectory,
  });
  const ending = endWhenAsked(client, log, options.signal);
  client.start();
  try {
    return await Promise.race([refused.promise, ending.done]);
  } finally {
    client.stop();
    ending.forget();
    report.end();
    // What the stop still had to write is written in this turn.
    await new Promise((resolve) => setImmediate(resolve));
    opened.close();
  }
}

function identity(
  client: ClientIdentity["client"],
  slots: number,
  options: RunClientOptions,
): ClientIdentity {
  const constrained = process.constrainedMemory();
  const available = Math.min(totalmem(), constrained > 0 ? constrained : Infinity);
  const share = Math.floor((available * 0.8) / slots / 1024 ** 2);
  return {
    client,
    kind: "node",
    name: (options.name ?? hostname()).slice(0, limits.nameChars),
    ...(options.token !== undefined && { token: options.token }),
    memoryMb: options.memoryMb ?? Math.max(limits.minMemoryMb, share),
    webgpu: false,
    version,
  };
}

/** First signal: finish or hand back. Second: now. */
function endWhenAsked(
  client: Client,
  log: ClientPorts["log"],
  signal: AbortSignal | undefined,
): { done: Promise<number>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<number>();
  let asked = 0;
  let deadline: NodeJS.Timeout | undefined;
  const ask = (): void => {
    asked++;
    if (asked > 1) return resolve(exitCodes.impatient);
    log("info", "Finishing what runs and handing back the rest; once more to end at once.");
    deadline = setTimeout(() => {
      log("info", `Handing back what did not finish in ${drainMs / 1000} s.`);
      resolve(exitCodes.done);
    }, drainMs);
    void client.drain().then(() => resolve(exitCodes.done));
  };
  const signals = ["SIGTERM", "SIGINT"] as const;
  for (const name of signals) process.on(name, ask);
  signal?.addEventListener("abort", ask);
  return {
    done: promise,
    forget() {
      clearTimeout(deadline);
      for (const name of signals) process.off(name, ask);
      signal?.removeEventListener("abort", ask);
    },
  };
}

/** Tells a log what a person wants to know of an unattended client: its connection, and what it got done. */
function statusReporter(
  log: ClientPorts["log"],
  serverUrl: string,
  onRefused: () => void,
): { status(status: ClientStatus): void; end(): void } {
  let newest: ClientStatus | undefined;
  let shown = "";
  let summarised = 0;
  const summarise = (): void => {
    if (!newest || newest.done + newest.failed === summarised) return;
    const { done, failed, unsent, queued } = newest;
    summarised = done + failed;
    log("info", `${done} tasks done, ${failed} failed.`, { queued, unsent });
  };
  const timer = setInterval(summarise, summaryEveryMs);
  timer.unref();
  return {
    status(status) {
      newest = status;
      const { connection } = status;
      const key = connection.state === "waiting" ? `waiting ${connection.reason}` : connection.state;
      if (key === shown || connection.state === "connecting") return;
      shown = key;
      if (connection.state === "connected") log("info", `Connected to ${serverUrl}.`);
      if (connection.state === "waiting") log("warn", `Not connected: ${connection.reason}. Trying again.`);
      if (connection.state !== "refused") return;
      const { code, message, remedy } = connection.error;
      log("warn", `The server refuses this client: ${message} ${remedy}`, { code });
      onRefused();
    },
    end() {
      clearInterval(timer);
      summarise();
    },
  };
}
