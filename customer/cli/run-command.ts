import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { constants } from "node:os";
import { resolve } from "node:path";
import { Command } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import { moduleBeside } from "../../system/module-beside.ts";
import { serverEnvironment, type ParallelOption, type ServerFlags } from "./command.ts";

const help = `
The program finds by itself where to compute: connect() without arguments reads MANYHANDS_PARALLEL, or MANYHANDS_SERVER and
MANYHANDS_TOKEN, which are set for it, and \`import { connect } from "manyhands"\` works wherever its file is. JavaScript and TypeScript are run by
this Node; anything else is run as it is, with the same environment. Its exit status is kept.

To run a single kernel module over a file of inputs without writing a program, see \`manyhands map\`.`;

/** `manyhands run <program>`: runs a customer's program, with server and token in its environment. */
export function runCommand(run: (code: number) => void, parallel: ParallelOption): Command {
  const command = new Command("run");
  parallel(command);
  return command
    .description("Run a customer program against a server")
    .argument("<program>", "a program that uses the SDK (.ts, .js), or any executable")
    .argument("[args...]", "its arguments")
    .option("--server <url>", "address of the server (MANYHANDS_SERVER)")
    .option("--token <token>", "access token (MANYHANDS_TOKEN)")
    .option("--sign-key <file>", "sign the program's kernels with this key (MANYHANDS_SIGN_KEY)")
    .passThroughOptions()
    .addHelpText("after", help)
    .action(async (program: string, args: string[], flags: RunFlags) => {
      run(await runProgram(program, args, flags));
    });
}

interface RunFlags extends ServerFlags {
  readonly parallel?: string;
}

async function runProgram(program: string, args: readonly string[], flags: RunFlags): Promise<number> {
  const { signKey } = flags;
  const signing = signKey === undefined ? {} : { MANYHANDS_SIGN_KEY: resolve(signKey) };
  const env = { ...process.env, ...signing, ...(await surroundings(flags)) };
  const isScript = /\.[cm]?[jt]s$/.test(program);
  const resolver = moduleBeside(import.meta.url, "sdk-import").href;
  const [command, all] = isScript
    ? [process.execPath, ["--import", resolver, program, ...args]]
    : [program, [...args]];
  if (isScript) await mustBeFile(program);
  const child = spawn(command, all, { stdio: "inherit", env });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      // The terminal sends Ctrl-C to the program, too.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  return new Promise((done, reject) => {
    child.on("error", (error) => reject(notStarted(program, error)));
    child.on("exit", (code, signal) => done(signal ? 128 + constants.signals[signal] : (code ?? 1)));
  });
}

async function mustBeFile(program: string): Promise<void> {
  const found = await stat(program).catch(() => undefined);
  if (found?.isFile()) return;
  throw new PlatformError(
    "FILE_FAILED",
    `There is no program ${program}; expected the path of a .ts or .js file${found ? ", and this is a directory" : ""}.`,
  );
}

function notStarted(program: string, error: Error): PlatformError {
  const reason = "code" in error && error.code === "ENOENT" ? "it was not found" : error.message;
  return new PlatformError(
    "FILE_FAILED",
    `${program} cannot be started: ${reason}. Expected a .ts or .js file, or an executable by its path or in PATH.`,
    error,
  );
}

/** A named address takes precedence over `--parallel`, which may come from the environment. */
async function surroundings(flags: RunFlags): Promise<Record<string, string | undefined>> {
  const { parallel, server, token } = flags;
  if (parallel === undefined || server !== undefined)
    return { ...(await serverEnvironment(flags)), MANYHANDS_PARALLEL: undefined };
  return { MANYHANDS_PARALLEL: parallel, ...(token !== undefined && { MANYHANDS_TOKEN: token }) };
}
