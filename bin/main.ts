import { Command } from "commander";
import { customerCommands, describeError, exitCodeOf, exitCodesHelp } from "../customer/cli/commands.ts";
import { serverEnvironment } from "../customer/cli/command.ts";
import { parallelOption } from "../parallel/option.ts";
import { version } from "../shared/version.ts";

/** Parts with many modules, which are imported when they are called: `manyhands jobs` starts fast, and a broken part breaks no other. */
const parts: Record<string, { summary: string; load: () => Promise<Command> }> = {
  server: {
    summary: "Start a server: keeps jobs and results, hands tasks to clients",
    load: async () => {
      const clientProgram = async (): Promise<string> =>
        (await import("../node-client/one-file.ts")).loadOneFileClient();
      const { customerCode } = await import("../customer/customer-code.ts");
      return (await import("../server/main.ts")).serverCommand({ clientProgram, customerCode });
    },
  },
  client: {
    summary: "Compute for a server on this machine, without a browser",
    load: async () => (await import("../node-client/main.ts")).clientCommand({ resolveToken }),
  },
  cluster: {
    summary: "Print scripts that put clients on the nodes of a batch system",
    load: async () => (await import("../parallel/cluster/command.ts")).clusterCommand(),
  },
  doctor: {
    summary: "Look at this machine and its way to the server, and say what is wrong",
    load: async () => (await import("../parallel/doctor/command.ts")).doctorCommand(),
  },
  scrub: {
    summary: "Verify everything that the server keeps, and set damaged blobs aside",
    load: async () => (await import("../customer/cli/upkeep-commands.ts")).scrubCommand(exit, offlineUpkeep),
  },
  backup: {
    summary: "Write a backup of the server's data, or bring one up to date",
    load: async () => (await import("../customer/cli/upkeep-commands.ts")).backupCommand(exit, offlineUpkeep),
  },
  restore: {
    summary: "Make a data directory of a backup, for a server to start on",
    load: async () => (await import("../server/upkeep/restore-command.ts")).restoreCommand(exit),
  },
  compact: {
    summary: "Make the database of a server that does not run as small as what it holds",
    load: async () => (await import("../server/upkeep/compact-command.ts")).compactCommand(exit),
  },
  demo: {
    summary: "Reconstruct a molecule from noisy images on this machine, and on every browser that joins",
    load: async () => (await import("../science/demo/main.ts")).demoCommand(),
  },
};

const offlineUpkeep = () => import("../server/upkeep/offline.ts");

function exit(code: number): void {
  process.exitCode = code;
}

/** The token of a server on this machine, or the one in the environment. */
async function resolveToken(server: string): Promise<string | undefined> {
  return (await serverEnvironment({ server }))["MANYHANDS_TOKEN"];
}

async function makeProgram(called: string | undefined): Promise<Command> {
  const program = new Command("manyhands")
    .description("Map a function over inputs on every browser and machine you have.")
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError("(see --help)")
    .configureHelp({ showGlobalOptions: false });
  program.addHelpText("after", exitCodesHelp);
  for (const [name, { summary, load }] of Object.entries(parts))
    program.addCommand(name === called ? await load() : new Command(name).description(summary));
  for (const command of customerCommands(exit, parallelOption))
    program.addCommand(command.addHelpText("after", exitCodesHelp));
  throwInsteadOfExit(program);
  return program;
}

/** Wrong usage exits with 2, where Commander's own status is 1. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}

// A reader that closes the pipe early (`manyhands results … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`manyhands: standard output cannot be written: ${error.message}.\n`);
  process.exit(2);
});
// A broken standard error has no other place to be reported.
process.stderr.on("error", () => undefined);

// Service managers and shells set variables empty for "not given", but Commander would read `--port ""` as port 0.
for (const name of Object.keys(process.env))
  if (name.startsWith("MANYHANDS_") && process.env[name]?.trim() === "") delete process.env[name];

try {
  const words = process.argv.slice(2);
  const named = words[0] === "help" ? words[1] : words.find((word) => !word.startsWith("-"));
  const program = await makeProgram(named);
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
  const text = describeError(error, process.argv.includes("--json"));
  if (text !== undefined) process.stderr.write(`${text}\n`);
}
