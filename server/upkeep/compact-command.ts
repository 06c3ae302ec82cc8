import { Command } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import { compact } from "./compact.ts";

/** `manyhands compact`. @param exit - gets 2 when the directory cannot be used */
export function compactCommand(exit: (code: number) => void): Command {
  return new Command("compact")
    .description("Make the database of a server that does not run as small as what it holds")
    .requiredOption("--data <directory>", "the data directory")
    .action(({ data }: { data: string }) => {
      try {
        const { before, after } = compact(data);
        const mib = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
        process.stdout.write(`the database had ${mib(before)}, and has ${mib(after)}\n`);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        process.stderr.write(`manyhands compact: ${error.message} ${error.remedy}\n`);
        exit(2);
      }
    });
}
