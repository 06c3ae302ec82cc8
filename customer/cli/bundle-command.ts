import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { bundleKernel } from "../kernel/bundle.ts";
import { writeLine } from "./output.ts";

/** `manyhands bundle`: a kernel module with its imports as one file, for programs that cannot bundle. */
export function bundleCommand(): Command {
  return new Command("bundle")
    .description("Make one JavaScript module of a kernel module and what it imports")
    .argument("<kernel>", "module whose default export is (input, ctx) => output")
    .option("--out <file>", "where the module goes (standard output)")
    .addHelpText("after", "\nPrograms in Python and curl send this file as their kernel. No server is asked.")
    .action(async (kernel: string, { out }: { out?: string }) => {
      const { source } = await bundleKernel(pathToFileURL(resolve(kernel)));
      if (out === undefined) return writeLine(source.trimEnd());
      await writeFile(out, source).catch((error: unknown) => {
        throw new PlatformError("FILE_FAILED", `${out} cannot be written: ${messageOf(error)}.`, error);
      });
    });
}
