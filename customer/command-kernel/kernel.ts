import type { CommandKernel } from "../../shared/wire/command-kernel.ts";
import type { CommandFile, CommandResult, KernelContext } from "../../shared/wire/kernel.ts";
import { fileOf, InputValues } from "../wasi/arguments.ts";
import { checkMatches, patternsOf, saidIn } from "../wasi/outcome.ts";

/** The kernel of a command: it fills in the arguments of a task, and has the client run the command. */
export function commandKernel(
  definition: CommandKernel,
): (input: unknown, ctx: KernelContext) => Promise<unknown> {
  const { command, args, stdin, output, exitCodes } = definition;
  const fixed = Object.fromEntries(
    Object.entries(definition.files).map(([path, content]) => [path, fileOf(content)]),
  );
  const patterns = patternsOf(output);
  return async (input, ctx) => {
    const values = new InputValues(input);
    const filled = args.map((argument) => expanded(argument, values));
    const given = typeof stdin === "string" ? values.stdin(stdin) : fileOf(stdin);
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
    checkMatches(command, patterns, {
      found: Object.keys(end.files),
      left: end.left,
      errors: end.stderr,
    });
    return end.files;
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

function failureOf(command: string, end: CommandResult): string {
  const how =
    end.signal === undefined
      ? `ended with exit code ${end.exitCode}`
      : `was ended by the signal ${end.signal}`;
  return `${command} ${how}. ${saidIn(end.stderr)}`;
}
