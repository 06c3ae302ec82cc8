import { availableParallelism, hostname, totalmem } from "node:os";
import { setFlagsFromString } from "node:v8";
import { createClient, type Client } from "../shared/client/client.ts";
import type { ClientDescription, ClientPorts } from "../shared/client/ports.ts";
import type { ClientStatus } from "../shared/client/status.ts";
import { PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";
import { shuffled } from "../shared/random.ts";
import { parseServerAddresses } from "../shared/server-address.ts";
import { version } from "../shared/version.ts";
import { distrustOf, readTrustedKeys, type TrustedKey } from "../signing/keys.ts";
import { readAllowedCommands, type AllowedCommand } from "./commands/allowed.ts";
import { provideImages } from "./commands/images.ts";
import { defaultCacheDirectory } from "./cache-directory.ts";
import { createLogger, type LogLevel } from "./log.ts";
import { openNodePorts, type NodePorts } from "./ports.ts";
import { clientsOnThisMachine, planMemory } from "./memory-plan.ts";
import { Presence } from "./presence/presence.ts";
import { lookAround } from "./presence/sighting.ts";

export interface RunClientOptions {
  /**
   * Address of the server: `http://host:9990`, `host:9990`, or with the path of a reverse proxy; of several servers that share their data
   * any of their addresses, separated by commas.
   */
  readonly server: string;
  /** Number of kernels that compute at the same time; default: the number of cores. */
  readonly slots?: number;
  /** Share of the time in which each slot computes, 1 … 100; a slot rests between tasks. Default 100. */
  readonly cpuPercent?: number;
  readonly token?: string;
  /** File with the public keys of signers: kernels that none of them signed do not run. */
  readonly trustKeyFile?: string;
  /** File of the commands that the owner of this machine allows (docs/commands.md). */
  readonly allowCommandsFile?: string;
  readonly cacheDirectory?: string;
  readonly cacheQuotaBytes?: number;
  /** Name of this machine in the list of clients; default: its host name. */
  readonly name?: string;
  /** Memory of one slot, in MiB; default: its share of four fifths of the machine's. */
  readonly memoryMb?: number;
  /** Memory of all slots together, in MiB, which may reduce the number of slots. */
  readonly maxMemoryMb?: number;
  /** Scheduling priority of kernels, 0 (as any program) … 19 (only idle time); default 5. */
  readonly niceness?: number;
  /** Compute only while the machine is idle. */
  readonly idleOnly?: boolean;
  /** Drain and end at this moment. */
  readonly until?: Date;
  /** End when no server has listened at the address for this long; default: never. */
  readonly exitWhenServerGoneMs?: number;
  /** Time for running tasks to finish when the client is told to end; default 8 s. */
  readonly drainMs?: number;
  readonly logLevel?: LogLevel;
  readonly json?: boolean;
  /** Ends the client as SIGTERM does; a second abort is a second signal. */
  readonly signal?: AbortSignal;
}

/** Service managers wait ten seconds before they kill. */
const defaultDrainMs = 8_000;
const summaryEveryMs = 60_000;
/**
 * Two signals within this time are one request: a service manager signals every process of a group, and a launcher forwards its
 * own signal as well.
 */
const sameSignalMs = 2_000;

/** `again` is EX_TEMPFAIL of sysexits.h: whoever started the client starts it again. */
const exitCodes = { done: 0, refused: 2, gone: 3, again: 75, impatient: 130 } as const;

/**
 * Runs a client until it is told to end (SIGTERM, SIGINT) or the server refuses it for good.
 *
 * @returns exit code: 0 ended as asked, 2 refused (the reason is logged), 3 the server is gone, 75 an administrator asks to start it
 * again in a newer version, 130 ended at once by a second signal
 * @throws PlatformError BAD_ARGUMENT for an invalid address of the server, BAD_OPTION; Error when the cache directory is
 * unusable
 */
export async function runClient(options: RunClientOptions): Promise<number> {
  const logger = createLogger(options.logLevel ?? "info", options.json ?? false);
  const log: ClientPorts["log"] = (level, message, details) => logger[level](details ?? {}, message);
  const servers = shuffled(parseServerAddresses(options.server), Math.random) as [string, ...string[]];
  const trusted = options.trustKeyFile === undefined ? undefined : readTrustedKeys(options.trustKeyFile);
  const named = allowedCommands(options);
  const { slots, memoryMb } = resources(options);
  collectSeldom();
  const cacheDirectory = options.cacheDirectory ?? defaultCacheDirectory();
  const commands = named && (await provideImages(named, { cacheDirectory, log }));
  const opened = await openNodePorts({
    servers,
    cacheDirectory,
    log,
    ...(commands && { commands }),
    ...(options.cacheQuotaBytes !== undefined && { cacheQuotaBytes: options.cacheQuotaBytes }),
    ...(options.niceness !== undefined && { niceness: options.niceness }),
  });
  const over = Promise.withResolvers<number>();
  const shown = (server: string): string => server.replace(/\/$/, "");
  const report = statusReporter(
    log,
    () => shown(opened.server()),
    () => over.resolve(exitCodes.refused),
  );
  const ports: ClientPorts = trusted
    ? { ...opened.ports, distrust: (kernel, signature) => distrustOf(trusted, kernel, signature) }
    : opened.ports;
  const client = createClient(ports, describe(opened, memoryMb, options, trusted), {
    slots,
    servers,
    keptServers: opened.keptServers,
    onStatus: (status) => {
      report.status(status);
      presence.statusChanged(status);
    },
    onEvent: (event) => {
      if (event.type === "messageReceived" && event.message.type === "heartbeat" && event.message.reload)
        ending.beginAnew();
    },
  });
  const { cpuPercent = 100 } = options;
  client.setShare(cpuPercent / 100);
  const resting = cpuPercent < 100 ? `, each at most ${cpuPercent} % of the time` : "";
  log(
    "info",
    `Joining ${servers.map(shown).join(" or ")} with ${slots} slot${slots === 1 ? "" : "s"}${resting}.`,
    {
      cache: cacheDirectory,
    },
  );
  if (trusted) log("info", `Only kernels signed by ${trusted.map(({ name }) => name).join(", ")} run here.`);
  const ending = endWhenAsked(client, log, options);
  const { idleOnly = false, until, exitWhenServerGoneMs: goneMs } = options;
  const presence = new Presence(
    { idleOnly, until, goneMs },
    {
      client,
      log,
      lookAround,
      onUntil: () => ending.drain("The time to end has come"),
      onGone: () => {
        log("warn", `The server at ${shown(opened.server())} is gone.`);
        over.resolve(exitCodes.gone);
      },
    },
  );
  client.start();
  presence.begin();
  try {
    return await Promise.race([over.promise, ending.done]);
  } finally {
    presence.end();
    client.stop();
    ending.forget();
    report.end();
    // The last writes of `stop` are done in this turn.
    await new Promise((resolve) => setImmediate(resolve));
    opened.close();
  }
}

/**
 * Lets buffers grow to five times the heap before a full collection. Buffers count as heap, and a client has only 17 MB of it,
 * so V8 would otherwise collect for every 4 MiB of blobs.
 */
function collectSeldom(): void {
  setFlagsFromString("--heap-growing-percent=400");
}

/** Number of slots, and the memory of each in MiB: as in the options, or this client's share of the machine. */
function resources(options: RunClientOptions): { slots: number; memoryMb: number } {
  const { slots = availableParallelism(), maxMemoryMb, memoryMb } = options;
  if (maxMemoryMb !== undefined)
    return planMemory({ maxMemoryMb, slots, ...(memoryMb !== undefined && { memoryMb }) });
  const constrained = process.constrainedMemory();
  const available = Math.min(totalmem(), constrained > 0 ? constrained : Infinity);
  const share = Math.floor((available * 0.8) / clientsOnThisMachine(process.env) / slots / 1024 ** 2);
  return { slots, memoryMb: memoryMb ?? Math.max(limits.minMemoryMb, share) };
}

/** @throws PlatformError BAD_OPTION also without a token: volunteers run no commands, so nobody could ask for one */
function allowedCommands({ allowCommandsFile, token }: RunClientOptions): AllowedCommand[] | undefined {
  if (allowCommandsFile === undefined) return undefined;
  if (token === undefined)
    throw new PlatformError(
      "BAD_OPTION",
      "--allow-commands needs --token: only clients with a token of role client get tasks that run commands (`manyhands token create --role client`).",
    );
  return readAllowedCommands(allowCommandsFile);
}

function describe(
  { identity, ports }: NodePorts,
  memoryMb: number,
  options: RunClientOptions,
  trusted: readonly TrustedKey[] | undefined,
): ClientDescription {
  return {
    identity,
    kind: "node",
    name: (options.name ?? hostname()).slice(0, limits.nameChars),
    // Tokens of files and variables often end with a line break.
    ...(options.token !== undefined && { token: options.token.trim() }),
    memoryMb,
    webgpu: false,
    trusts: trusted?.map(({ key }) => key),
    ...(ports.commands && { commands: ports.commands.names }),
    version,
  };
}

/** The first signal lets tasks finish or hands them back; the second ends the client at once. */
function endWhenAsked(
  client: Client,
  log: ClientPorts["log"],
  { signal, drainMs = defaultDrainMs }: RunClientOptions,
): { done: Promise<number>; drain(why: string): void; beginAnew(): void; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<number>();
  let asked = 0;
  let askedAt: number | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let code: number | undefined;
  const finish = (why: string, as: number): void => {
    code = as;
    log("info", `${why}: finishing what runs and handing back the rest.`);
    void client.drain().then(() => resolve(code!));
  };
  const drain = (why: string): void => {
    if (deadline) return;
    finish(why, exitCodes.done);
    deadline = setTimeout(() => {
      log("info", `Handing back what did not finish in ${drainMs / 1000} s.`);
      resolve(exitCodes.done);
    }, drainMs);
  };
  const ask = (name?: unknown): void => {
    const now = performance.now();
    askedAt ??= now;
    if (name === "SIGTERM" && now > askedAt && now - askedAt < sameSignalMs) return;
    if (++asked > 1) return resolve(exitCodes.impatient);
    drain("Told to end (once more to end at once)");
  };
  const signals = ["SIGTERM", "SIGINT"] as const;
  for (const name of signals) process.on(name, ask);
  signal?.addEventListener("abort", ask);
  return {
    done: promise,
    drain,
    /** Nobody waits for the end, so that what runs has all of its time. */
    beginAnew() {
      if (code === undefined)
        finish(
          `The administrator asks this client to be started again (exit status ${exitCodes.again})`,
          exitCodes.again,
        );
    },
    forget() {
      clearTimeout(deadline);
      for (const name of signals) process.off(name, ask);
      signal?.removeEventListener("abort", ask);
    },
  };
}

/** Logs the state of an unattended client: its connection, and its finished tasks. */
function statusReporter(
  log: ClientPorts["log"],
  serverUrl: () => string,
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
      if (connection.state === "connected") log("info", `Connected to ${serverUrl()}.`);
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
