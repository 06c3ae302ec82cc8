import { Command, InvalidArgumentError, Option } from "commander";
import { limits } from "../shared/limits.ts";
import { parseMemory } from "./memory-plan.ts";
import { nextTimeOfDay, parseTimeOfDay } from "./presence/until.ts";
import { meet } from "./rendezvous.ts";
import { createLogger, logLevels, type LogLevel } from "./log.ts";
import { runClient, type RunClientOptions } from "./run-client.ts";

export { runClient, type RunClientOptions } from "./run-client.ts";

interface ClientCommandOptions {
  /** Finds a token when none is given: the token of a server on this machine. */
  readonly resolveToken?: (serverUrl: string) => Promise<string | undefined>;
}

interface Flags {
  readonly server: string;
  readonly slots?: number;
  readonly cpu?: number;
  readonly token?: string;
  readonly trustKey?: string;
  readonly allowCommands?: string;
  readonly cacheDir?: string;
  readonly cacheQuotaGb?: number;
  readonly name?: string;
  readonly memoryMb?: number;
  readonly maxMemory?: number;
  readonly nice?: number;
  readonly idleOnly?: boolean;
  readonly until?: Date;
  readonly rendezvous?: string;
  readonly rendezvousWait: number;
  readonly exitWhenServerGone?: number;
  readonly drainSeconds?: number;
  readonly logLevel: LogLevel;
  readonly json?: boolean;
}

/** The `client` command: computes for a server without a browser. Sets the process's exit code when it ends. */
export function clientCommand({ resolveToken }: ClientCommandOptions = {}): Command {
  const option = (flags: string, text: string, variable: string): Option =>
    new Option(flags, text).env(`MANYHANDS_${variable}`);
  const servers: string[] = [];
  return new Command("client")
    .description("Compute for a server on this machine, without a browser")
    .addOption(
      option(
        "--server <url>",
        "address of the server; of several servers more, by commas or repeated",
        "SERVER",
      )
        .argParser((text: string) => servers.push(text) && servers.join())
        .default("http://127.0.0.1:9990"),
    )
    .addOption(
      option("--slots <n>", "kernels computed at once (default: one a core)", "SLOTS").argParser(
        wholeNumber(1, limits.slotsPerClient),
      ),
    )
    .addOption(
      option(
        "--cpu <percent>",
        "share of the time in which each slot computes; it rests between tasks (default: 100)",
        "CPU",
      ).argParser(wholeNumber(1, 100)),
    )
    .addOption(option("--token <token>", "access token; on the server's own machine it is found", "TOKEN"))
    .addOption(
      option(
        "--trust-key <file>",
        "run only kernels signed with a key in this file (see `manyhands key create`)",
        "TRUST_KEY",
      ),
    )
    .addOption(
      option(
        "--allow-commands <file>",
        "let customers run the programs of this machine that this file names (docs/commands.md)",
        "ALLOW_COMMANDS",
      ),
    )
    .addOption(
      option("--cache-dir <directory>", "blob cache and undelivered results; may be shared", "CACHE_DIR"),
    )
    .addOption(
      option(
        "--cache-quota-gb <n>",
        "size of the blob cache in GiB (default: 4)",
        "CACHE_QUOTA_GB",
      ).argParser(positiveNumber),
    )
    .addOption(option("--name <name>", "how the server calls this machine (default: its host name)", "NAME"))
    .addOption(
      option(
        "--memory-mb <n>",
        "memory of one slot in MiB (default: its share of the machine's)",
        "MEMORY_MB",
      ).argParser(wholeNumber(limits.minMemoryMb, limits.maxMemoryMb)),
    )
    .addOption(
      option(
        "--max-memory <size>",
        "memory of all slots together, e.g. 8G; fewer slots when it is little",
        "MAX_MEMORY",
      ).argParser(memorySize),
    )
    .addOption(
      option("--nice <n>", "priority of kernels, 0 to 19 (default: 5)", "NICE").argParser(wholeNumber(0, 19)),
    )
    .addOption(option("--idle-only", "compute only while nobody else uses this machine", "IDLE_ONLY"))
    .addOption(
      option("--until <hh:mm>", "finish what runs and end at this local time", "UNTIL").argParser(timeOfDay),
    )
    .addOption(
      option("--rendezvous <file>", "find server and token in the file that a server writes", "RENDEZVOUS"),
    )
    .addOption(
      option(
        "--rendezvous-wait <seconds>",
        "how long to wait for that file and its server; then exit 3",
        "RENDEZVOUS_WAIT",
      )
        .argParser(positiveNumber)
        .default(600),
    )
    .addOption(
      option(
        "--exit-when-server-gone <seconds>",
        "exit 3 when nobody listens at the server's address for so long, or it is silent ten times that (default: wait for ever)",
        "EXIT_WHEN_SERVER_GONE",
      ).argParser(positiveNumber),
    )
    .addOption(
      option(
        "--drain-seconds <n>",
        "how long kernels may run on when told to end (default: 8)",
        "DRAIN_SECONDS",
      ).argParser(drainSeconds),
    )
    .addOption(
      option("--log-level <level>", "how much to tell", "LOG_LEVEL").choices(logLevels).default("info"),
    )
    .option("--json", "log as JSON lines, also on a terminal")
    .addHelpText(
      "after",
      "\nSIGTERM and Ctrl-C finish or hand back what runs within ten seconds; a second one ends at once.\n" +
        "Exit status: 0 ended as asked, 2 the server refuses this client, 3 no server, or it is gone, 75 start it again (in the server's version).",
    )
    .action(async (flags: Flags) => {
      process.exitCode = await runClient({ ...limitsOf(flags), ...(await serverOf(flags, resolveToken)) });
    });
}

/** The server to join: of the rendezvous file, or of address and token. */
async function serverOf(
  { rendezvous, rendezvousWait, server, token, logLevel, json = false }: Flags,
  resolveToken: ClientCommandOptions["resolveToken"],
): Promise<{ server: string; token?: string }> {
  if (rendezvous !== undefined) {
    const logger = createLogger(logLevel, json);
    const log = (message: string): void => logger.info(message);
    const { url, token: left } = await meet(rendezvous, { waitMs: rendezvousWait * 1000, log });
    // The token of the environment is not used, because it belongs to the person's usual server.
    return { server: url, token: left };
  }
  const found = token ?? (await resolveToken?.(server));
  return { server, ...(found !== undefined && { token: found }) };
}

function limitsOf(flags: Flags): Omit<RunClientOptions, "server" | "token"> {
  return {
    logLevel: flags.logLevel,
    json: flags.json ?? false,
    idleOnly: flags.idleOnly ?? false,
    ...(flags.trustKey !== undefined && { trustKeyFile: flags.trustKey }),
    ...(flags.allowCommands !== undefined && { allowCommandsFile: flags.allowCommands }),
    ...(flags.slots !== undefined && { slots: flags.slots }),
    ...(flags.cpu !== undefined && { cpuPercent: flags.cpu }),
    ...(flags.cacheDir !== undefined && { cacheDirectory: flags.cacheDir }),
    ...(flags.cacheQuotaGb !== undefined && { cacheQuotaBytes: flags.cacheQuotaGb * 1024 ** 3 }),
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.memoryMb !== undefined && { memoryMb: flags.memoryMb }),
    ...(flags.maxMemory !== undefined && { maxMemoryMb: flags.maxMemory }),
    ...(flags.nice !== undefined && { niceness: flags.nice }),
    ...(flags.until !== undefined && { until: flags.until }),
    ...(flags.exitWhenServerGone !== undefined && { exitWhenServerGoneMs: flags.exitWhenServerGone * 1000 }),
    ...(flags.drainSeconds !== undefined && { drainMs: flags.drainSeconds * 1000 }),
  };
}

function memorySize(text: string): number {
  const mb = parseMemory(text);
  if (mb !== undefined) return mb;
  throw new InvalidArgumentError("expected a size such as 8G or 8192M");
}

function timeOfDay(text: string): Date {
  const minutes = parseTimeOfDay(text);
  if (minutes !== undefined) return nextTimeOfDay(minutes, new Date());
  throw new InvalidArgumentError("expected a local time of day such as 07:00");
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
  };
}

function drainSeconds(text: string): number {
  const seconds = positiveNumber(text);
  const most = limits.maxTimeoutMs / 1000;
  if (seconds <= most) return seconds;
  throw new InvalidArgumentError(`expected at most ${most}, as long as a task may take`);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number above 0");
}
