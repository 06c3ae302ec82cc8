import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { parseServerAddresses } from "../../shared/server-address.ts";
import { launcherFile } from "../../system/package-root.ts";
import { parseSlurmTime, slurmScript, type SlurmOptions } from "./slurm-script.ts";

type Flags = Omit<SlurmOptions, "timeSeconds" | "drainSeconds" | "serverGoneSeconds" | "command"> & {
  readonly time: number;
  readonly drain: number;
  readonly serverGone: number;
};

/** `manyhands cluster`: scripts that put clients on the nodes of a batch system. */
export function clusterCommand(): Command {
  return new Command("cluster")
    .description("Print scripts that put clients on the nodes of a batch system")
    .addCommand(slurmCommand());
}

function slurmCommand(): Command {
  return new Command("slurm")
    .description("Print a job array of clients for sbatch, one a node")
    .requiredOption("--nodes <n>", "clients, one a node", wholeNumber)
    .requiredOption("--time <time>", "wall-clock limit as Slurm writes it, e.g. 2:00:00 or 1-12", slurmTime)
    .option("--server <url>", "address of the server; MANYHANDS_TOKEN is taken along at submission")
    .option("--rendezvous <file>", "file that the server writes on a file system all nodes see")
    .option("--partition <name>", "partition")
    .option("--account <name>", "account")
    .option("--qos <name>", "quality of service")
    .option("--cpus <n>", "cores a client, and slots (else the whole node)", wholeNumber)
    .option("--memory <size>", "memory a client as Slurm writes it, e.g. 16G")
    .option("--job-name <name>", "name in the queue", "manyhands")
    .option("--cache-directory <path>", "directory on each node for its cache (default: its temporary one)")
    .option("--drain <seconds>", "how long kernels may run on when the time is nearly over", wholeNumber, 45)
    .option(
      "--server-gone <seconds>",
      "give nodes back when there is no server for so long",
      wholeNumber,
      600,
    )
    .addHelpText(
      "after",
      "\nExample:\n  manyhands cluster slurm --nodes 4 --time 2:00:00 --rendezvous ~/server.json | sbatch",
    )
    .action(({ time, drain, serverGone, ...flags }: Flags) => {
      const { server, rendezvous, cacheDirectory } = flags;
      const script = slurmScript({
        ...flags,
        timeSeconds: time,
        drainSeconds: drain,
        serverGoneSeconds: serverGone,
        ...(server !== undefined && {
          server: parseServerAddresses(server)
            .map((url) => url.replace(/\/$/, ""))
            .join(),
        }),
        ...(rendezvous !== undefined && { rendezvous: resolve(rendezvous) }),
        ...(cacheDirectory !== undefined && { cacheDirectory: resolve(cacheDirectory) }),
        command: [process.execPath, launcherFile],
      });
      process.stdout.write(script);
    });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 1_000_000) return value;
  throw new InvalidArgumentError("expected a whole number from 1");
}

function slurmTime(text: string): number {
  const seconds = parseSlurmTime(text);
  if (seconds !== undefined && seconds > 0) return seconds;
  throw new InvalidArgumentError("expected a time such as 30, 2:00:00 or 1-12:00");
}
