import { dataFailure } from "../../shared/client/sandbox/runner-failure.ts";
import { DataReference } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { CommandCall, CommandContent, CommandReply } from "../../shared/wire/command.ts";
import type { CommandFile, CommandRequest, CommandResult } from "../../shared/wire/kernel.ts";
import { ownBytes } from "../../shared/wire/plain-bytes.ts";

// The kernel may replace these.
const { entries, fromEntries } = Object;
const isReference = DataReference.is.bind(DataReference);

/**
 * Calls the command of a job for its kernel.
 * @param run - the call, as it leaves the sandbox
 * @throws Error that says why the command did not run
 */
export async function callCommand(
  run: (call: CommandCall) => Promise<CommandReply>,
  { args = [], stdin, files = {}, outputs = [] }: CommandRequest,
): Promise<CommandResult> {
  const contents = entries(files).map(([path, content]) => [path, contentOf(content)] as const);
  const reply = await run({
    args: [...args],
    ...(stdin !== undefined && { stdin: contentOf(stdin) }),
    files: fromEntries(contents),
    outputs: [...outputs],
  });
  if ("missing" in reply) throw dataFailure("Data of the command could not be had", reply.missing);
  const picked = entries(reply.files).map(([path, file]) => [path, fileOf(file)] as const);
  return { ...reply, files: fromEntries(picked) };
}

function contentOf(content: CommandFile): CommandContent {
  if (!isReference(content)) return content;
  const { sha256, size, range } = content;
  return range ? { sha256, size, range: [range[0], range[1]] } : { sha256, size };
}

function fileOf(file: Uint8Array | { readonly sha256: string; readonly size: number }): CommandFile {
  return file instanceof Uint8Array ? ownBytes(file) : new DataReference(file.sha256 as Sha256, file.size);
}
