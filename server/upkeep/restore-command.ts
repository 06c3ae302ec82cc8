import { Command } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import { restore } from "./restore.ts";

/** `manyhands restore`. @param exit - gets 1 when blobs are missing */
export function restoreCommand(exit: (code: number) => void): Command {
  return new Command("restore")
    .description("Make a data directory of a backup, for a server to start on")
    .argument("<directory>", "the backup")
    .requiredOption("--data <directory>", "the new data directory; must be empty or missing")
    .action(async (directory: string, { data }: { data: string }) => {
      try {
        const { madeAt, blobs, missing } = await restore(directory, data);
        const lines = [
          `restored the backup of ${new Date(madeAt).toLocaleString()} to ${data}: the database and ${blobs} blobs`,
          ...missing.map((sha256) => `missing, to be put again: ${sha256}`),
          `start the server with: manyhands server --data ${data}`,
        ];
        process.stdout.write(`${lines.join("\n")}\n`);
        if (missing.length > 0) exit(1);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        process.stderr.write(`manyhands restore: ${error.message} ${error.remedy}\n`);
        exit(2);
      }
    });
}
