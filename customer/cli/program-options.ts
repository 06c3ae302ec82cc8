import type { Command } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import type { Value } from "../../shared/wire/codec.ts";
import { program, type Program } from "../kernel/program.ts";
import type { ProgramOutput } from "../wasi/kernel.ts";

export interface ProgramFlags {
  readonly wasi?: string;
  readonly file?: readonly string[];
  readonly env?: readonly string[];
  readonly stdin?: string;
  readonly output?: string;
}

/** Adds the options of programs that were compiled to WASI. */
export function programOptions(command: Command): Command {
  return command
    .option(
      "--wasi <program.wasm>",
      "run this program instead of a kernel module; its arguments come behind `--`, with {input} or {name} for what the input has",
    )
    .option("--file <path=file...>", "with --wasi: a file of every task, at this path")
    .option("--env <name=value...>", "with --wasi: environment of the program")
    .option("--stdin <text>", "with --wasi: standard input, e.g. {input}")
    .option(
      "--output <what>",
      "with --wasi: stdout (text, default), bytes (of standard output), or files:PATTERN",
    );
}

/** The program that the options name, if any. @throws PlatformError BAD_OPTION */
export function programOf(
  { wasi, file = [], env = [], stdin, output = "stdout" }: ProgramFlags,
  args: readonly string[],
): Program<Value> | undefined {
  if (wasi === undefined) {
    if (file.length + env.length > 0 || stdin !== undefined || output !== "stdout")
      throw new PlatformError(
        "BAD_OPTION",
        "--file, --env, --stdin and --output belong to --wasi, which is missing.",
      );
    return undefined;
  }
  return program(wasi, {
    args,
    files: pairs("--file", file),
    env: pairs("--env", env),
    ...(stdin !== undefined && { stdin }),
    output: outputOf(output),
  });
}

function pairs(option: string, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new PlatformError("BAD_OPTION", `${option} ${pair}: expected name=value.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function outputOf(text: string): ProgramOutput {
  if (text === "stdout" || text === "bytes") return text;
  if (text.startsWith("files:") && text.length > 6) return { files: text.slice(6).split(",") };
  throw new PlatformError("BAD_OPTION", `--output ${text}: expected stdout, bytes or files:PATTERN.`);
}
