import * as v from "valibot";
import { PlatformError } from "../../shared/errors.ts";
import type { DataReference } from "../../shared/data-reference.ts";
import { commandKernelSchema } from "../../shared/wire/command-kernel.ts";
import type { CommandFile } from "../../shared/wire/kernel.ts";
import type { ProgramOutput } from "../wasi/outcome.ts";
import { commandCode } from "./program-code.ts";
import {
  Contents,
  ProgramKernel,
  type Preparation,
  type PreparedProgram,
  type StartOptions,
} from "./program-kernel.ts";

export interface CommandOptions<Output extends ProgramOutput = ProgramOutput> extends StartOptions<Output> {
  /**
   * Arguments, none of which a shell sees, with placeholders as of programs: `{input}`, `{name}`, `{0}`, `{name:file}`, `{{`. A value stays
   * within its argument, and cannot begin an option.
   */
  readonly args?: readonly string[];
}

/** The output of a task: files over 64 KiB are data references. */
export type CommandOutputOf<Output extends ProgramOutput> = Output extends "stdout"
  ? string
  : Output extends "bytes"
    ? Uint8Array
    : Record<string, CommandFile>;

/** A command as a kernel. Made by {@link command}. */
export class Command<Output> extends ProgramKernel<Output> {
  readonly #command: string;
  readonly #options: CommandOptions;

  constructor(name: string, options: CommandOptions) {
    super(name, name);
    this.#command = name;
    this.#options = options;
  }

  async prepare(
    put: (bytes: Uint8Array) => Promise<DataReference>,
    { mayRefer }: Preparation,
  ): Promise<PreparedProgram> {
    const { args = [], stdin = "", files = {}, output = "stdout", exitCodes = [0] } = this.#options;
    const contents = new Contents(this.name, put, mayRefer);
    const given = {
      command: this.#command,
      args: [...args],
      stdin: typeof stdin === "string" ? stdin : await contents.of(stdin),
      files: await contents.ofAll(files),
      output,
      exitCodes: [...exitCodes],
    };
    const parsed = v.safeParse(commandKernelSchema, given);
    if (!parsed.success) throw refusalOf(this.#command, parsed.issues[0]);
    return { definition: parsed.output, code: commandCode, refs: contents.refs };
  }
}

function refusalOf(command: string, issue: v.BaseIssue<unknown>): PlatformError {
  const place = (issue.path ?? []).map(({ key }) => String(key)).join(".");
  return new PlatformError(
    "BAD_ARGUMENT",
    `The command ${command}${place && `, ${place}`}: ${issue.message}.`,
  );
}

/**
 * A program that is installed on clients, as a kernel: those trusted clients run it whose owners allow a command of this name
 * (`manyhands client --allow-commands`). Each task has a directory of its own.
 *
 * @example
 * const search = command("blastp", { args: ["-query", "{input}", "-db", "/data/swissprot"] });
 * const hits = await hands.map(search, await Promise.all(proteins.map((path) => hands.put(path))));
 */
export function command<const Output extends ProgramOutput = "stdout">(
  name: string,
  options: CommandOptions<Output> = {},
): Command<CommandOutputOf<Output>> {
  return new Command(name, options);
}
