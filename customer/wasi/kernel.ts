import type { DataReference } from "../../shared/data-reference.ts";
import { matches } from "../../shared/path-pattern.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { fileOf, InputValues, isReference, referenceTo, type Content, type FileValue } from "./arguments.ts";
import { LazyContent } from "./lazy-content.ts";
import { withMemoryLimit } from "./memory-limit.ts";
import { checkMatches, patternsOf, saidIn, type ProgramOutput } from "./outcome.ts";
import { canWait, runProgram, type ProgramEnd, type ProgramFile } from "./run-program.ts";
import { WebAssembly, type Module } from "./web-assembly.ts";

/** A program as its kernel has it. */
export interface ProgramDefinition {
  readonly name: string;
  readonly module: Content;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | Content;
  readonly files: Readonly<Record<string, Content>>;
  readonly output: ProgramOutput;
  readonly exitCodes: readonly number[];
  readonly timeMs: number;
  readonly memoryBytes: number;
}

/** The kernel of a program. What it needs is fetched once a worker; each task runs in an instance of its own. */
export function programKernel(
  definition: ProgramDefinition,
): (input: unknown, ctx: KernelContext) => Promise<unknown> {
  let prepared: Promise<Prepared> | undefined;
  let current: KernelContext;
  const read: ReadReference = (reference) => current.data(reference);
  return async (input, ctx) => {
    current = ctx;
    prepared ??= prepare(definition, read);
    prepared.catch(() => (prepared = undefined));
    return compute(definition, await prepared, input, ctx, read);
  };
}

interface Prepared {
  readonly module: Module;
  readonly files: readonly ProgramFile[];
  readonly stdin: Uint8Array | LazyContent | undefined;
}

/** References beyond this size are fetched in pieces, as the program reads them. Clients fetch smaller blobs whole (`limits.wholeBytes`). */
const lazyBytes = 8 * 1024 * 1024;

/** Reads a reference by the context of the task at hand. */
type ReadReference = (reference: DataReference) => Promise<Uint8Array>;

async function prepare(definition: ProgramDefinition, read: ReadReference): Promise<Prepared> {
  const { stdin, memoryBytes } = definition;
  const program = fileOf(definition.module);
  const bytes = isReference(program) ? await read(program) : program;
  const module = await WebAssembly.compile(withMemoryLimit(bytes, memoryBytes));
  const files: ProgramFile[] = [];
  for (const [path, content] of Object.entries(definition.files))
    files.push({ path, bytes: await bytesOf(fileOf(content), read), isShared: true });
  const given = typeof stdin === "string" ? undefined : await bytesOf(fileOf(stdin), read);
  return { module, files, stdin: given };
}

async function compute(
  { name, args, env, stdin, output, exitCodes, timeMs, memoryBytes }: ProgramDefinition,
  prepared: Prepared,
  input: unknown,
  ctx: KernelContext,
  read: ReadReference,
): Promise<unknown> {
  const values = new InputValues(input);
  const expanded = args.map((argument) => values.expand(argument));
  const environment = Object.fromEntries(
    Object.entries(env).map(([variable, value]) => [variable, values.expand(value)]),
  );
  const given = prepared.stdin ?? (await bytesOf(values.stdin(stdin as string), read));
  const files = [...prepared.files];
  for (const [path, value] of values.files) {
    if (files.some((file) => file.path === path))
      throw new Error(`The input has a file ${path}, and the program has another one of that name.`);
    files.push({ path, bytes: await bytesOf(value, read) });
  }
  const end = await runProgram(prepared.module, {
    arguments: [name, ...expanded],
    environment,
    input: given,
    files,
    timeMs,
    random: () => ctx.random(),
    memoryBytes,
  });
  if (end.trap || !exitCodes.includes(end.exitCode)) throw new Error(failureOf(name, end));
  if (end.errors !== "") ctx.log(end.errors);
  return outputOf(name, output, end);
}

async function bytesOf(value: FileValue, read: ReadReference): Promise<Uint8Array | LazyContent> {
  if (!isReference(value)) return value;
  if (!canWait || value.length <= lazyBytes) return read(value);
  const [first] = value.range ?? [0];
  return new LazyContent(value.length, (start, end) =>
    read(referenceTo(value.sha256, value.size, [first + start, first + end])),
  );
}

function failureOf(name: string, { exitCode, trap, errors }: ProgramEnd): string {
  const how = trap ? `was stopped by an error: ${trap.message}` : `ended with exit code ${exitCode}`;
  return `${name} ${how}. ${saidIn(errors)}`;
}

async function outputOf(name: string, output: ProgramOutput, end: ProgramEnd): Promise<unknown> {
  if (output === "bytes") return end.output.slice();
  if (output === "stdout") return new TextDecoder().decode(end.output);
  const patterns = patternsOf(output);
  const files = end.files();
  const left = files.map(([path]) => path);
  checkMatches(name, patterns, { found: left, left, errors: end.errors });
  const found = files.filter(([path]) => patterns.some((pattern) => matches(path, pattern)));
  const contents = found.map(async ([path, content]) => [path, (await content()).slice()] as const);
  return Object.fromEntries(await Promise.all(contents));
}
