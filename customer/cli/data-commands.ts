import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import * as v from "valibot";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { sha256Schema } from "../../shared/ids.ts";
import { serverCommand, withHands, type ServerFlags } from "./command.ts";
import { writeLine } from "./output.ts";
import { precacheCommand } from "./precache-command.ts";

/** Commands that move blobs. */
export function dataCommands(exit: (code: number) => void): Command[] {
  return [putCommand(), getCommand(), precacheCommand(exit)];
}

function putCommand(): Command {
  return serverCommand("put", "Store files on the server and print their data references")
    .argument("<files...>", "files, or - for standard input")
    .addHelpText(
      "after",
      '\nA line a file: its reference as it stands in an input, {"$ref": {"sha256": …, "size": …}}.',
    )
    .action(async (files: string[], flags: ServerFlags) => {
      await withHands(flags, async (hands) => {
        for (const file of files) {
          const reference = await hands.put(file === "-" ? process.stdin : file);
          await writeLine(JSON.stringify({ $ref: reference }));
        }
      });
    });
}

function getCommand(): Command {
  return serverCommand("get", "Write a blob's bytes to a file or to standard output")
    .argument("<sha256>", "the blob's name")
    .option("--out <file>", "where the bytes go (standard output)")
    .action(async (name: string, flags: ServerFlags & { out?: string }) => {
      const parsed = v.safeParse(sha256Schema, name);
      if (!parsed.success) throw new PlatformError("BAD_ARGUMENT", `"${name}": ${parsed.issues[0].message}.`);
      await withHands(flags, async (hands) => {
        const reference = await hands.api.blob(parsed.output);
        const { out } = flags;
        if (out === undefined) return pipeline(hands.stream(reference), process.stdout, { end: false });
        await pipeline(hands.stream(reference), createWriteStream(out)).catch((error: unknown) => {
          if (error instanceof PlatformError) throw error;
          const reason = messageOf(error);
          throw new PlatformError("BAD_OPTION", `The bytes cannot be written to ${out}: ${reason}.`, error);
        });
      });
    });
}
