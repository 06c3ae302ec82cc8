import { resolve } from "node:path";
import type { Command } from "commander";
import type { BackupProgress, ScrubProgress } from "../../shared/wire/rest/upkeep.ts";
import { PlatformError } from "../../shared/errors.ts";
import { backUpServer, scrubServer } from "../upkeep.ts";
import { serverCommand, withHands, type ServerFlags } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { size, writeJson, writeLine } from "./output.ts";

type Exit = (code: number) => void;

interface DataFlags extends ServerFlags {
  readonly data?: string;
  readonly blobs?: string;
}

interface DataPlace {
  readonly data: string;
  readonly blobs?: string;
}

/** Work on a data directory that no server uses; passed in, because it is the server's code. */
export interface OfflineUpkeep {
  scrubDirectory(
    data: DataPlace,
    tell: (sentence: string) => void,
    onProgress: (progress: ScrubProgress) => void,
  ): Promise<ScrubProgress>;
  backUpDirectory(
    data: DataPlace,
    target: string,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<BackupProgress>;
}

/** `manyhands scrub`. */
export function scrubCommand(exit: Exit, offline: () => Promise<OfflineUpkeep>): Command {
  return serverCommand("scrub", "Verify everything that the server keeps, and set damaged blobs aside")
    .option("--data <directory>", "the data directory of a server that does not run")
    .option(
      "--blobs <place>",
      "with --data: where the server keeps its blobs, when it is started with --blobs",
    )
    .addHelpText("after", "\nExit status 1: something is damaged. The server verifies all by itself, slowly.")
    .action(async (flags: DataFlags) => {
      const place = placeOf(flags);
      const found =
        place === undefined
          ? await withHands(flags, (hands) => scrubServer(hands.api.http, () => {}))
          : await (await offline()).scrubDirectory(place, sayOnStandardError, () => {});
      await (flags.json ? writeJson(found) : writeLine(describeScrub(found)));
      if (found.damagedRecords + found.damagedBlobs.length > 0) exit(exitCodes.failed);
    });
}

function describeScrub({ records, blobs, bytes, damagedRecords, damagedBlobs }: ScrubProgress): string {
  const lines = [`verified ${records} records of the database, and ${blobs} blobs with ${size(bytes)}`];
  if (damagedRecords > 0)
    lines.push(`${damagedRecords} records are damaged; the server's log names their jobs`);
  for (const sha256 of damagedBlobs) lines.push(`damaged, to be put again: ${sha256}`);
  if (lines.length === 1) lines.push("all is as it was written");
  return lines.join("\n");
}

/** @throws PlatformError BAD_ARGUMENT for `--blobs` without `--data`: a running server knows its own place */
function placeOf({ data, blobs }: DataFlags): DataPlace | undefined {
  if (data !== undefined) return { data, ...(blobs !== undefined && { blobs }) };
  if (blobs === undefined) return undefined;
  throw new PlatformError("BAD_ARGUMENT", "--blobs is for a server that does not run, with --data.");
}

/** `manyhands backup`. */
export function backupCommand(exit: Exit, offline: () => Promise<OfflineUpkeep>): Command {
  return serverCommand("backup", "Write a backup of the server's data, or bring one up to date")
    .argument("<directory>", "on the server's machine: new, empty, or an earlier backup")
    .option("--data <directory>", "the data directory of a server that does not run")
    .option(
      "--blobs <place>",
      "with --data: where the server keeps its blobs, when it is started with --blobs",
    )
    .addHelpText(
      "after",
      "\nThe server goes on meanwhile. A further run copies the database and new blobs only; until its end the earlier backup stays\nwhole. Exit status 1: blobs are missing in it, because they are damaged on the server.",
    )
    .action(async (directory: string, flags: DataFlags) => {
      const place = placeOf(flags);
      const target = resolve(directory);
      const made =
        place === undefined
          ? await withHands(flags, (hands) => backUpServer(hands.api.http, target, () => {}))
          : await (await offline()).backUpDirectory(place, target, () => {});
      await (flags.json ? writeJson(made) : writeLine(describeBackup(made, target)));
      if (made.missing.length > 0) exit(exitCodes.failed);
    });
}

function describeBackup(made: BackupProgress, target: string): string {
  const { blobs, copiedBlobs, copiedBytes, missing } = made;
  return [
    `backed up to ${target}: the database and ${blobs} blobs, of which ${copiedBlobs} were copied (${size(copiedBytes)})`,
    ...missing.map((sha256) => `missing, because it is damaged on the server: ${sha256}`),
  ].join("\n");
}

function sayOnStandardError(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}
