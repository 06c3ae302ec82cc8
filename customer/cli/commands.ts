import type { Command } from "commander";
import { dataCommands } from "./data-commands.ts";
import { jobCommands } from "./job-commands.ts";
import { mapCommand } from "./map-command.ts";
import { runCommand } from "./run-command.ts";
import { serverCommands } from "./server-commands.ts";

export { describeError, exitCodeOf, exitCodesHelp } from "./exit-codes.ts";
export { serverEnvironment } from "./command.ts";

/** Every command of a customer. `exit` is told the exit status of those that have more than success. */
export function customerCommands(exit: (code: number) => void): Command[] {
  return [runCommand(exit), mapCommand(exit), ...jobCommands(exit), ...dataCommands(), ...serverCommands()];
}
