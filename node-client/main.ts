import { Command, InvalidArgumentError, Option } from "commander";
import { limits } from "../shared/limits.ts";
import { logLevels, type LogLevel } from "./log.ts";
import { runClient } from "./run-client.ts";

export { runClient, type RunClientOptions } from "./run-client.ts";

export interface ClientCommandOptions {
  /** Finds a token when none is given: that of a server on this machine. */
  readonly resolveToken?: (serverUrl: string) => Promise<string | undefined>;
}

interface Flags {
  readonly server: string;
  readonly slots?: number;
  readonly token?: string;
  readonly cacheDir?: string;
  readonly cacheQuotaGb?: number;
  readonly name?: string;
  readonly memoryMb?: number;
  readonly logLevel: LogLevel;
  readonly json?: boolean;
}

/** The `client` command: computes for a server without a browser. Sets the process's exit code when it ends. */
export function clientCommand({ resolveToken }: ClientCommandOptions = {}): Command {
  const option = (flags: string, text: string, variable: string): Option =>
    new Option(flags, text).env(`MANYHANDS_${variable}`);
  return new Command("client")
    .description("Compute for a server on this machine, without a browser")
    .addOption(option("--server <url>", "address of the server", "SERVER").default("http://127.0.0.1:9990"))
    .addOption(
      option("--slots <n>", "kernels computed at once (default: one a core)", "SLOTS").argParser(
        wholeNumber(1, limits.slotsPerClient),
      ),
    )
    .addOption(option("--token <token>", "access token; on the server's own machine it is found", "TOKEN"))
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
      option("--log-level <level>", "how much to tell", "LOG_LEVEL").choices(logLevels).default("info"),
    )
    .option("--json", "log as JSON lines, also on a terminal")
    .addHelpText(
      "after",
      "\nSIGTERM and Ctrl-C finish or hand back what runs within ten seconds; a second one ends at once.\n" +
        "Exit status: 0 ended as asked, 2 the server refuses this client.",
    )
    .action(async (flags: Flags) => {
      const token = flags.token ?? (await resolveToken?.(flags.server));
      process.exitCode = await runClient({
        server: flags.server,
        logLevel: flags.logLevel,
        json: flags.json ?? false,
        ...(token !== undefined && { token }),
        ...(flags.slots !== undefined && { slots: flags.slots }),
        ...(flags.cacheDir !== undefined && { cacheDirectory: flags.cacheDir }),
        ...(flags.cacheQuotaGb !== undefined && { cacheQuotaBytes: flags.cacheQuotaGb * 1024 ** 3 }),
        ...(flags.name !== undefined && { name: flags.name }),
        ...(flags.memoryMb !== undefined && { memoryMb: flags.memoryMb }),
      });
    });
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
  };
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number above 0");
}
