import type { Command } from "commander";
import type { ConnectOptions } from "../customer/connect.ts";
import type { Hands } from "../customer/hands.ts";
import { connect } from "./connect.ts";
import { parallelGrammar, parseParallel } from "./spec.ts";

/**
 * Gives a program the option `--parallel <spec>` (environment: MANYHANDS_PARALLEL) and its help text. A wrong string ends the program
 * while its options are parsed.
 *
 * @returns a function that connects the program once its options are parsed
 * @example
 * const program = new Command("simmx").argument("<images>");
 * const connect = parallelOption(program);
 * program.action(async () => {
 *   await using hands = await connect();
 * });
 */
export function parallelOption(program: Command): (options?: ConnectOptions) => Promise<Hands> {
  // The option comes from the program's own commander, so that other programs load none.
  const option = program
    .createOption("--parallel <spec>", "where it computes: dc:…, thread:… or mpi:… (see below)")
    .argParser((text: string) => {
      parseParallel(text);
      return text;
    });
  // Commander takes an empty variable for a value, but shells and service managers often set empty variables.
  if (process.env["MANYHANDS_PARALLEL"]?.trim() !== "") option.env("MANYHANDS_PARALLEL");
  program.addOption(option);
  program.addHelpText(
    "after",
    `\n--parallel is one of\n${parallelGrammar}\nWithout it: the server on this machine.`,
  );
  return (options) => connect(program.opts<{ parallel?: string }>().parallel, options);
}
