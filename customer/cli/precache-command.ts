import { Option, type Command } from "commander";
import * as v from "valibot";
import { DataReference, dataReferenceSchema } from "../../shared/data-reference.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { sha256Schema } from "../../shared/ids.ts";
import type { PrecacheProgress } from "../../shared/wire/rest/precache.ts";
import type { Requirements } from "../../shared/wire/rest/requirements.ts";
import type { Hands } from "../hands.ts";
import { serverCommand, wholeNumber, withHands, type ServerFlags } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { printable, size, writeJson, writeLine } from "./output.ts";
import { putShown, transferView } from "./transfer-view.ts";

interface PrecacheFlags extends ServerFlags {
  readonly atLeast?: number;
  readonly stay?: boolean;
  readonly kind?: "browser" | "node";
  readonly trusted?: boolean;
  readonly quiet?: boolean;
}

const help = `
Files are stored on the server first. A reference is a blob's SHA-256, or what \`manyhands put\` prints, with a range if you like:
{"$ref": {"sha256": …, "size": …, "range": [start, end]}}.
Ends when every connected client has the data, or as much as its cache takes; Ctrl-C ends it sooner, and clients keep what they have.
Exit status 1: some clients have not all of it.`;

/** `manyhands precache`: pushes data to clients before tasks need it. */
export function precacheCommand(exit: (code: number) => void): Command {
  return serverCommand("precache", "Push files or data to clients before tasks need it")
    .argument("<data...>", "files, or references to data on the server")
    .option("--at-least <n>", "wait until so many clients have it (1)", wholeNumber(0, 1_000_000))
    .option("--stay", "go on for clients that join later, until Ctrl-C")
    .addOption(new Option("--kind <kind>", "only clients of this kind").choices(["browser", "node"]))
    .option("--trusted", "only clients that joined with a token")
    .option("--quiet", "no progress")
    .addHelpText("after", help)
    .action(async (data: string[], flags: PrecacheFlags) => {
      exit(await withHands(flags, (hands) => precache(hands, data, flags)));
    });
}

async function precache(hands: Hands, data: readonly string[], flags: PrecacheFlags): Promise<number> {
  const refs: DataReference[] = [];
  const { atLeast, stay = false, quiet = false } = flags;
  for (const text of data)
    refs.push((await parseReference(hands, text)) ?? (await putShown(hands, text, text, quiet)));
  const requires: Requirements = {
    ...(flags.kind && { kind: flags.kind }),
    ...(flags.trusted && { trusted: true }),
  };
  const view = transferView("precache", quiet);
  const precaching = hands.precache(refs, {
    requires,
    ...(atLeast !== undefined && { atLeast }),
    stay,
    onProgress: ({ bytes, clients, haveBytes }) =>
      view.show({ bytes: haveBytes, totalBytes: bytes * clients }),
  });
  process.once("SIGINT", () => precaching.stop());
  let end = await precaching.then((progress) => progress).finally(() => stay || view.stop());
  if (stay) {
    await precaching.ended.finally(() => view.stop());
    end = precaching.progress ?? end;
  }
  await (flags.json ? writeJson(end) : writeLine(describe(end)));
  return end.done && end.short === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Parses a reference; undefined for the path of a file. @throws PlatformError BAD_ARGUMENT, NOT_FOUND */
async function parseReference(hands: Hands, text: string): Promise<DataReference | undefined> {
  const name = v.safeParse(sha256Schema, text);
  if (name.success) return hands.api.blob(name.output);
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const parsed = JSON.parse(text) as { $ref?: unknown };
    return DataReference.from(v.parse(dataReferenceSchema, parsed.$ref ?? parsed));
  } catch (error) {
    throw new PlatformError("BAD_ARGUMENT", `${text} is no data reference: ${messageOf(error)}.`, error);
  }
}

function describe({ bytes, clients, have, short, paused, problems }: PrecacheProgress): string {
  const others = [
    ...(short > 0 ? [`${short} not all of it`] : []),
    ...(paused > 0 ? [`${paused} paused`] : []),
  ].map((text) => `, ${text}`);
  const lines = problems.map(({ name, message }) => `  ${name}: ${message}`);
  return printable(
    [`${have} of ${clients} clients have ${size(bytes)}${others.join("")}.`, ...lines].join("\n"),
  );
}
