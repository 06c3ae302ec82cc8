import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import * as v from "valibot";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { sha256Schema, type Sha256 } from "../../shared/ids.ts";
import type { UsageInfo } from "../../shared/wire/rest/usage.ts";
import type { TransferProgress } from "../blobs.ts";
import { serverCommand, withHands, type ServerFlags } from "./command.ts";
import { size, table, writeJson, writeLine } from "./output.ts";
import { precacheCommand } from "./precache-command.ts";
import { putShown, transferView } from "./transfer-view.ts";

/** Commands on stored data: blobs, kernels, and usage. */
export function dataCommands(exit: (code: number) => void): Command[] {
  return [
    putCommand(),
    getCommand(),
    forgetCommand(),
    kernelsCommand(),
    usageCommand(),
    precacheCommand(exit),
  ];
}

function putCommand(): Command {
  return serverCommand("put", "Store files on the server and print their data references")
    .argument("<files...>", "files, or - for standard input")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      '\nA line a file: its reference as it stands in an input, {"$ref": {"sha256": …, "size": …}}.',
    )
    .action(async (files: string[], flags: ServerFlags & { quiet?: boolean }) => {
      await withHands(flags, async (hands) => {
        for (const file of files) {
          const [name, source] = file === "-" ? ["standard input", process.stdin] : [file, file];
          const reference = await putShown(hands, name, source, flags.quiet === true);
          await writeLine(JSON.stringify({ $ref: reference }));
        }
      });
    });
}

function getCommand(): Command {
  return serverCommand("get", "Write a blob's bytes to a file or to standard output")
    .argument("<sha256>", "the blob's name")
    .option("--out <file>", "where the bytes go (standard output)")
    .option("--quiet", "no progress")
    .action(async (name: string, flags: ServerFlags & { out?: string; quiet?: boolean }) => {
      const sha256 = hashOf(name);
      await withHands(flags, async (hands) => {
        const reference = await hands.api.blob(sha256);
        const { out } = flags;
        if (out === undefined) return pipeline(hands.stream(reference), process.stdout, { end: false });
        const view = transferView(out, flags.quiet);
        const onProgress = (progress: TransferProgress): void => view.show(progress);
        await pipeline(hands.stream(reference, { onProgress }), createWriteStream(out))
          .catch((error: unknown) => {
            if (error instanceof PlatformError) throw error;
            const reason = messageOf(error);
            throw new PlatformError("BAD_OPTION", `The bytes cannot be written to ${out}: ${reason}.`, error);
          })
          .finally(() => view.stop());
      });
    });
}

function forgetCommand(): Command {
  return serverCommand("forget", "Give up blobs that no job of yours refers to, to have their room")
    .argument("<sha256...>", "the blobs' names")
    .action(async (names: string[], flags: ServerFlags) => {
      const hashes = names.map(hashOf);
      await withHands(flags, async (hands) => {
        for (const sha256 of hashes) await hands.api.deleteBlob(sha256);
      });
      await (flags.json ? writeJson({ forgotten: hashes }) : writeLine(`${hashes.length} forgotten.`));
    });
}

function kernelsCommand(): Command {
  return serverCommand("kernels", "List your kernels, or delete one that no job uses")
    .option("--delete <sha256>", "give up this kernel")
    .action(async (flags: ServerFlags & { delete?: string }) => {
      const unwanted = flags.delete === undefined ? undefined : hashOf(flags.delete);
      const kernels = await withHands(flags, async (hands) => {
        if (unwanted !== undefined) await hands.api.deleteKernel(unwanted);
        return hands.api.kernels();
      });
      if (flags.json) return writeJson(kernels);
      if (kernels.length === 0) return writeLine("No kernels.");
      return writeLine(
        table(kernels, [
          { head: "KERNEL", cell: ({ sha256 }) => sha256 },
          { head: "SIZE", cell: (kernel) => size(kernel.size), right: true },
        ]),
      );
    });
}

function usageCommand(): Command {
  return serverCommand("usage", "Show what you keep on the server, and may keep").action(
    async (flags: ServerFlags) => {
      const usage = await withHands(flags, (hands) => hands.usage());
      if (flags.json) return writeJson(usage);
      return writeLine(usage.length > 0 ? usageTable(usage) : "Nothing is kept.");
    },
  );
}

/** Usage beside its bounds; a star marks a customer with bounds of its own. */
export function usageTable(usage: readonly UsageInfo[]): string {
  return table(usage, [
    {
      head: "CUSTOMER",
      cell: ({ customer, ownQuota }) => `${customer}${Object.keys(ownQuota).length > 0 ? " *" : ""}`,
    },
    {
      head: "STORED",
      cell: ({ bytes, quota }) => `${size(bytes.total)} of ${size(quota.bytes)}`,
      right: true,
    },
    { head: "INPUTS", cell: ({ bytes }) => size(bytes.inputs), right: true },
    { head: "OUTPUTS", cell: ({ bytes }) => size(bytes.outputs), right: true },
    { head: "BLOBS", cell: ({ bytes }) => size(bytes.blobs), right: true },
    { head: "KERNELS", cell: ({ bytes }) => size(bytes.kernels), right: true },
    { head: "JOBS", cell: ({ jobs, quota }) => `${jobs} of ${quota.jobs}`, right: true },
    { head: "OPEN TASKS", cell: ({ openTasks, quota }) => `${openTasks} of ${quota.openTasks}`, right: true },
  ]);
}

/** @throws PlatformError BAD_ARGUMENT */
function hashOf(name: string): Sha256 {
  const parsed = v.safeParse(sha256Schema, name);
  if (parsed.success) return parsed.output;
  throw new PlatformError("BAD_ARGUMENT", `"${name}": ${parsed.issues[0].message}.`);
}
