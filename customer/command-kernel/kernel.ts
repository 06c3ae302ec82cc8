import type { CommandKernel } from "../../shared/wire/command-kernel.ts";
import type { CommandFile, CommandResult, KernelContext } from "../../shared/wire/kernel.ts";
import { matches } from "../../shared/path-pattern.ts";
import { InputValues, onlyName, referenceTo } from "../wasi/arguments.ts";

/** The kernel of a command: it fills in the arguments of a task, and has the client run the command. */
export function commandKernel(
  definition: CommandKernel,
): (input: unknown, ctx: KernelContext) => Promise<unknown> {
  const { command, args, stdin, output, exitCodes } = definition;
  const fixed = Object.fromEntries(
    Object.entries(definition.files).map(([path, content]) => [path, contentOf(content)]),
  );
  const patterns = typeof output === "string" ? [] : [output.files].flat();
  return async (input, ctx) => {
    const values = new InputValues(input);
    const filled = args.map((argument) => expanded(argument, values));
    const given = typeof stdin === "string" ? stdinOf(stdin, values) : contentOf(stdin);
    const files: Record<string, CommandFile> = { ...fixed };
    for (const [path, value] of values.files) {
      if (Object.hasOwn(files, path))
        throw new Error(`The input has a file ${path}, and the command has another one of that name.`);
      files[path] = value;
    }
    const end = await ctx.command({ args: filled, stdin: given, files, outputs: patterns });
    if (end.exitCode === undefined || !exitCodes.includes(end.exitCode))
      throw new Error(failureOf(command, end));
    if (end.stderr.trim() !== "") ctx.log(end.stderr);
    if (output === "bytes") return end.stdout;
    if (output === "stdout") return new TextDecoder().decode(end.stdout);
    const missing = patterns.find(
      (pattern) => !Object.keys(end.files).some((path) => matches(path, pattern)),
    );
    if (missing === undefined) return end.files;
    throw new Error(
      `${command} left no file ${missing}. Its files are ${end.left.join(", ") || "none"}. ${told(end)}`,
    );
  };
}

/** An argument with its values. What an option begins with cannot come from a value, or data could give orders. */
function expanded(template: string, values: InputValues): string {
  const text = values.expand(template);
  if (template.startsWith("{") && !template.startsWith("{{") && /^-(?![\d.]+(?:e[+-]?\d+)?$)/i.test(text))
    throw new Error(
      `The argument ${template} becomes ${text.slice(0, 40)}, which looks like an option; write what stands before it into the argument, such as --name=${template} or ./${template}.`,
    );
  return text;
}

function stdinOf(template: string, values: InputValues): CommandFile {
  const name = onlyName(template);
  return name === undefined ? new TextEncoder().encode(values.expand(template)) : values.bytes(name);
}

function contentOf(
  content: { readonly base64: string } | { readonly sha256: string; readonly size: number },
): CommandFile {
  if ("sha256" in content) return referenceTo(content.sha256, content.size);
  return Uint8Array.from(atob(content.base64), (byte) => byte.charCodeAt(0));
}

function failureOf(command: string, end: CommandResult): string {
  const how =
    end.signal === undefined
      ? `ended with exit code ${end.exitCode}`
      : `was ended by the signal ${end.signal}`;
  return `${command} ${how}. ${told(end)}`;
}

function told({ stderr }: CommandResult): string {
  const said = stderr.trim();
  return said === "" ? "It wrote nothing to standard error." : `Standard error:\n${said}`;
}
