import type { DataReference } from "../../shared/data-reference.ts";
import { matches } from "../../shared/path-pattern.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { InputValues, isReference, onlyName, referenceTo, type FileValue } from "./arguments.ts";
import { LazyContent } from "./lazy-content.ts";
import { withMemoryLimit } from "./memory-limit.ts";
import { canWait, runProgram, type ProgramEnd, type ProgramFile } from "./run-program.ts";
import { WebAssembly, type Module } from "./web-assembly.ts";

/** Bytes that travel in the kernel, or as a blob of every task. */
export type Content = { readonly base64: string } | { readonly sha256: string; readonly size: number };

/** Result of a task: standard output as text or bytes, or files by pattern. */
export type ProgramOutput = "stdout" | "bytes" | { readonly files: string | readonly string[] };

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
  const bytes = withMemoryLimit(await wholeContentOf(definition.module, read), memoryBytes);
  const module = await WebAssembly.compile(bytes);
  const files: ProgramFile[] = [];
  for (const [path, content] of Object.entries(definition.files))
    files.push({ path, bytes: await contentOf(content, read), isShared: true });
  return { module, files, stdin: typeof stdin === "string" ? undefined : await contentOf(stdin, read) };
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
  const given = prepared.stdin ?? (await stdinOf(stdin as string, values, read));
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

async function stdinOf(
  template: string,
  values: InputValues,
  read: ReadReference,
): Promise<Uint8Array | LazyContent> {
  const name = onlyName(template);
  if (name !== undefined) return bytesOf(values.bytes(name), read);
  return new TextEncoder().encode(values.expand(template));
}

async function bytesOf(value: FileValue, read: ReadReference): Promise<Uint8Array | LazyContent> {
  if (!isReference(value)) return value;
  if (!canWait || value.length <= lazyBytes) return read(value);
  const [first] = value.range ?? [0];
  return new LazyContent(value.length, (start, end) =>
    read(referenceTo(value.sha256, value.size, [first + start, first + end])),
  );
}

async function contentOf(content: Content, read: ReadReference): Promise<Uint8Array | LazyContent> {
  if ("base64" in content) return wholeContentOf(content, read);
  return bytesOf(referenceTo(content.sha256, content.size), read);
}

async function wholeContentOf(content: Content, read: ReadReference): Promise<Uint8Array> {
  if ("base64" in content) return Uint8Array.from(atob(content.base64), (byte) => byte.charCodeAt(0));
  return read(referenceTo(content.sha256, content.size));
}

function failureOf(name: string, { exitCode, trap, errors }: ProgramEnd): string {
  const how = trap ? `was stopped by an error: ${trap.message}` : `ended with exit code ${exitCode}`;
  const said = errors.trim();
  return `${name} ${how}. ${said === "" ? "It wrote nothing to standard error." : `Standard error:\n${said}`}`;
}

async function outputOf(name: string, output: ProgramOutput, end: ProgramEnd): Promise<unknown> {
  if (output === "bytes") return end.output.slice();
  if (output === "stdout") return new TextDecoder().decode(end.output);
  const patterns = typeof output.files === "string" ? [output.files] : output.files;
  const found = end.files().filter(([path]) => patterns.some((pattern) => matches(path, pattern)));
  const missing = patterns.find((pattern) => !found.some(([path]) => matches(path, pattern)));
  if (missing === undefined) {
    const contents = found.map(async ([path, content]) => [path, (await content()).slice()] as const);
    return Object.fromEntries(await Promise.all(contents));
  }
  const left = end.files().map(([path]) => path);
  throw new Error(
    `${name} left no file ${missing}. Its files are ${left.slice(0, 20).join(", ") || "none"}. Standard error:\n${end.errors.trim()}`,
  );
}
