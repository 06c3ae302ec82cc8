import type { Command } from "commander";
import { bundleCommand } from "./bundle-command.ts";
import type { ParallelOption } from "./command.ts";
import { dataCommands } from "./data-commands.ts";
import { jobCommands } from "./job-commands.ts";
import { keyCommand } from "./key-command.ts";
import { mapCommand } from "./map-command.ts";
import { quotaCommand } from "./quota-command.ts";
import { runCommand } from "./run-command.ts";
import { runtimeCommand } from "./runtime-command.ts";
import { serverCommands } from "./server-commands.ts";
import { topCommand } from "./top-command.ts";
import { whyCommand } from "./why-command.ts";

export { describeError, exitCodeOf, exitCodesHelp } from "./exit-codes.ts";

/**
 * Every command of a customer. `exit` gets the exit status of commands that have more than success; `parallel` adds
 * `--parallel` to commands that compute.
 */
export function customerCommands(exit: (code: number) => void, parallel: ParallelOption): Command[] {
  return [
    runCommand(exit, parallel),
    mapCommand(exit, parallel),
    ...jobCommands(exit),
    ...dataCommands(exit),
    ...serverCommands(),
    quotaCommand(),
    whyCommand(),
    topCommand(),
    bundleCommand(),
    keyCommand(),
    runtimeCommand(),
  ];
}
