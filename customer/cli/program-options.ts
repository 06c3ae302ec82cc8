import type { Command } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import type { Value } from "../../shared/wire/codec.ts";
import { command } from "../kernel/command.ts";
import type { ProgramKernel } from "../kernel/program-kernel.ts";
import { program } from "../kernel/program.ts";
import type { ProgramOutput } from "../wasi/outcome.ts";

export interface ProgramFlags {
  readonly wasi?: string;
  readonly command?: string;
  readonly file?: readonly string[];
  readonly env?: readonly string[];
  readonly stdin?: string;
  readonly output?: string;
}

/** Adds the options of programs that were compiled to WASI, and of commands of clients. */
export function programOptions(command: Command): Command {
  return command
    .option(
      "--wasi <program.wasm>",
      "run this program instead of a kernel module; its arguments come behind `--`, with {input} or {name} for what the input has",
    )
    .option(
      "--command <words>",
      "run this command of trusted clients whose owners allow it: its name and arguments, with {input} or {name}; no shell sees them",
    )
    .option("--file <path=file...>", "with --wasi or --command: a file of every task, at this path")
    .option("--env <name=value...>", "with --wasi: environment of the program")
    .option("--stdin <text>", "with --wasi or --command: standard input, e.g. {input}")
    .option(
      "--output <what>",
      "with --wasi or --command: stdout (text, default), bytes (of standard output), or files:PATTERN",
    );
}

/** The program that the options name, if any. @throws PlatformError BAD_OPTION */
export function programOf(
  { wasi, command: words, file = [], env = [], stdin, output = "stdout" }: ProgramFlags,
  args: readonly string[],
): ProgramKernel<Value> | undefined {
  const options = {
    files: pairs("--file", file),
    ...(stdin !== undefined && { stdin }),
    output: outputOf(output),
  };
  if (words !== undefined) {
    if (wasi !== undefined || env.length > 0)
      throw new PlatformError(
        "BAD_OPTION",
        "--wasi and --env do not go with --command, whose environment is its owner's.",
      );
    const [name = "", ...first] = wordsOf(words);
    return command(name, { ...options, args: [...first, ...args] });
  }
  if (wasi !== undefined) return program(wasi, { ...options, args, env: pairs("--env", env) });
  if (file.length + env.length > 0 || stdin !== undefined || output !== "stdout")
    throw new PlatformError(
      "BAD_OPTION",
      "--file, --env, --stdin and --output belong to --wasi or --command, which are missing.",
    );
  return undefined;
}

/** Words of a command line, with the quotes of a shell and nothing else of it. @throws PlatformError BAD_OPTION */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (const [part] of line.matchAll(/'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\s+|[^]/gu)) {
    if (/^\s/.test(part)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/^['"]./.test(part)) word = (word ?? "") + unquoted(part);
    else if (/^\\./.test(part)) word = (word ?? "") + part.slice(1);
    else if (/^['"\\|<>;&$`]/.test(part))
      throw new PlatformError(
        "BAD_OPTION",
        `--command ${line}: no shell reads the command, so an open quote, and ${part} outside of quotes, have no meaning there.`,
      );
    else word = (word ?? "") + part;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function unquoted(part: string): string {
  const inner = part.slice(1, -1);
  return part.startsWith("'") ? inner : inner.replaceAll(/\\(["\\$`])/g, "$1");
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
