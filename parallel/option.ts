import type { Command } from "commander";
import type { ConnectOptions } from "../customer/connect.ts";
import type { Hands } from "../customer/hands.ts";
import { connect } from "./connect.ts";
import { parallelGrammar, parseParallel } from "./spec.ts";

/**
 * Gives a program the option `--parallel <spec>` (environment: MANYHANDS_PARALLEL) and its help text. A string that cannot
 * be read ends the program before it has done anything.
 *
 * @returns what connects the program once it has been parsed
 * @example
 * const program = new Command("simmx").argument("<images>");
 * const connect = parallelOption(program);
 * program.action(async () => {
 *   await using hands = await connect();
 * });
 */
export function parallelOption(program: Command): (options?: ConnectOptions) => Promise<Hands> {
  // By the program's own commander: who does not use this option does not load one.
  const option = program
    .createOption("--parallel <spec>", "where it computes: dc:…, thread:… or mpi:… (see below)")
    .argParser((text: string) => {
      parseParallel(text);
      return text;
    });
  // Commander takes an empty variable for a value, and shells and service managers set many an empty one.
  if (process.env["MANYHANDS_PARALLEL"]?.trim() !== "") option.env("MANYHANDS_PARALLEL");
  program.addOption(option);
  program.addHelpText(
    "after",
    `\n--parallel is one of\n${parallelGrammar}\nWithout it: the server on this machine.`,
  );
  return (options) => connect(program.opts<{ parallel?: string }>().parallel, options);
}
