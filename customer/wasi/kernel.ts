import { matches } from "../../shared/path-pattern.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { InputValues, isReference, onlyName, referenceTo, type FileValue } from "./arguments.ts";
import { withMemoryLimit } from "./memory-limit.ts";
import { runProgram, type ProgramEnd, type ProgramFile } from "./run-program.ts";
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
  return async (input, ctx) => {
    prepared ??= prepare(definition, ctx);
    prepared.catch(() => (prepared = undefined));
    return compute(definition, await prepared, input, ctx);
  };
}

interface Prepared {
  readonly module: Module;
  readonly files: readonly ProgramFile[];
  readonly stdin: Uint8Array | undefined;
}

async function prepare(definition: ProgramDefinition, ctx: KernelContext): Promise<Prepared> {
  const { stdin, memoryBytes } = definition;
  const bytes = withMemoryLimit(await contentOf(definition.module, ctx), memoryBytes);
  const module = await WebAssembly.compile(bytes);
  const files: ProgramFile[] = [];
  for (const [path, content] of Object.entries(definition.files))
    files.push({ path, bytes: await contentOf(content, ctx), isShared: true });
  return { module, files, stdin: typeof stdin === "string" ? undefined : await contentOf(stdin, ctx) };
}

async function compute(
  { name, args, env, stdin, output, exitCodes, timeMs, memoryBytes }: ProgramDefinition,
  prepared: Prepared,
  input: unknown,
  ctx: KernelContext,
): Promise<unknown> {
  const values = new InputValues(input);
  const expanded = args.map((argument) => values.expand(argument));
  const environment = Object.fromEntries(
    Object.entries(env).map(([variable, value]) => [variable, values.expand(value)]),
  );
  const given = prepared.stdin ?? (await stdinOf(stdin as string, values, ctx));
  const files = [...prepared.files];
  for (const [path, value] of values.files) {
    if (files.some((file) => file.path === path))
      throw new Error(`The input has a file ${path}, and the program has another one of that name.`);
    files.push({ path, bytes: await bytesOf(value, ctx) });
  }
  const end = runProgram(prepared.module, {
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

async function stdinOf(template: string, values: InputValues, ctx: KernelContext): Promise<Uint8Array> {
  const name = onlyName(template);
  if (name !== undefined) return bytesOf(values.bytes(name), ctx);
  return new TextEncoder().encode(values.expand(template));
}

async function bytesOf(value: FileValue, ctx: KernelContext): Promise<Uint8Array> {
  return isReference(value) ? ctx.data(value) : value;
}

async function contentOf(content: Content, ctx: KernelContext): Promise<Uint8Array> {
  if ("base64" in content) return Uint8Array.from(atob(content.base64), (byte) => byte.charCodeAt(0));
  return ctx.data(referenceTo(content.sha256, content.size));
}

function failureOf(name: string, { exitCode, trap, errors }: ProgramEnd): string {
  const how = trap ? `was stopped by an error: ${trap.message}` : `ended with exit code ${exitCode}`;
  const said = errors.trim();
  return `${name} ${how}. ${said === "" ? "It wrote nothing to standard error." : `Standard error:\n${said}`}`;
}

function outputOf(name: string, output: ProgramOutput, end: ProgramEnd): unknown {
  if (output === "bytes") return end.output.slice();
  if (output === "stdout") return new TextDecoder().decode(end.output);
  const patterns = typeof output.files === "string" ? [output.files] : output.files;
  const found = end.files().filter(([path]) => patterns.some((pattern) => matches(path, pattern)));
  const missing = patterns.find((pattern) => !found.some(([path]) => matches(path, pattern)));
  if (missing === undefined) return Object.fromEntries(found.map(([path, bytes]) => [path, bytes.slice()]));
  const left = end.files().map(([path]) => path);
  throw new Error(
    `${name} left no file ${missing}. Its files are ${left.slice(0, 20).join(", ") || "none"}. Standard error:\n${end.errors.trim()}`,
  );
}
