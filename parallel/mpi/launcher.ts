import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { PlatformError } from "../../shared/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const launchers = ["mpirun", "mpiexec", "srun"];

/**
 * The command that starts ranks, without the ranks' own: `MANYHANDS_MPIRUN` (a program, also with options), else the first of
 * mpirun, mpiexec and srun in PATH; then `MANYHANDS_MPIOPTS`, or `-n ranks` without it.
 * @throws PlatformError BAD_OPTION when there is no launcher
 */
export function launchCommand(ranks: number, env: Environment): [program: string, ...options: string[]] {
  const [program, ...options] = splitWords(env["MANYHANDS_MPIRUN"] ?? "", "MANYHANDS_MPIRUN");
  const found = program ?? launchers.find((name) => isInPath(name, env["PATH"] ?? ""));
  if (found === undefined)
    throw new PlatformError(
      "BAD_OPTION",
      `None of ${launchers.join(", ")} is in PATH; expected one of them, or the launcher in MANYHANDS_MPIRUN. Without MPI, thread:${ranks} uses this machine.`,
    );
  const given = env["MANYHANDS_MPIOPTS"]?.trim();
  return [found, ...options, ...(given ? splitWords(given, "MANYHANDS_MPIOPTS") : ["-n", String(ranks)])];
}

/**
 * The environment of the launcher: the program's own, and variables of Open MPI and Slurm that other launchers do not read.
 */
export function launchEnvironment(env: Environment, isRoot: boolean): NodeJS.ProcessEnv {
  return {
    // Open MPI 4 and Slurm must not end the other ranks when one dies together with its supervisor.
    OMPI_MCA_orte_enable_recovery: "1",
    OMPI_MCA_orte_abort_on_non_zero_status: "0",
    SLURM_KILL_BAD_EXIT: "0",
    // A person who runs the program as root (mostly in a container) has decided that already; kernels run in their sandbox.
    ...(isRoot && { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" }),
    ...env,
  };
}

function isInPath(name: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return directory !== "";
    } catch {
      return false;
    }
  });
}

/**
 * Splits options as a shell does, at blanks outside '…' and "…".
 * @throws PlatformError BAD_OPTION when a quote is not closed
 */
export function splitWords(text: string, variable: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (const character of text) {
    if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) {
      quote = character;
      word ??= "";
    } else if (quote === "" && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (quote !== "") throw new PlatformError("BAD_OPTION", `A ${quote} is not closed in ${variable}: ${text}`);
  return word === undefined ? words : [...words, word];
}
