import { createHash } from "node:crypto";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { DataReference } from "../../shared/data-reference.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { ProgramDefinition } from "../wasi/kernel.ts";
import { withMemoryLimit } from "../wasi/memory-limit.ts";
import type { ProgramOutput } from "../wasi/outcome.ts";
import { preview1 } from "../wasi/preview1.ts";
import { WebAssembly } from "../wasi/web-assembly.ts";
import { wasiCode } from "./program-code.ts";
import {
  bytesOf,
  Contents,
  ProgramKernel,
  type Preparation,
  type PreparedProgram,
  type ProgramSource,
  type StartOptions,
} from "./program-kernel.ts";

export interface ProgramOptions<Output extends ProgramOutput = ProgramOutput> extends StartOptions<Output> {
  /**
   * Arguments behind the program's name. `{input}` is the task's input, `{name}` a member of an input that is an object, `{0}` an element
   * of a list: text and numbers as they are, bytes and data references as the path of a file. `{name:file}` makes a file of text, too;
   * `{{` is a brace.
   */
  readonly args?: readonly string[];
  /** Environment, with the same placeholders. */
  readonly env?: Readonly<Record<string, string>>;
  /** Time at which the program's clock starts (2000-01-01). */
  readonly time?: Date;
}

/** The output of a task. */
export type ProgramOutputOf<Output extends ProgramOutput> = Output extends "stdout"
  ? string
  : Output extends "bytes"
    ? Uint8Array
    : Record<string, Uint8Array>;

/** Start of the clock: 2000-01-01. */
const defaultTimeMs = 946_684_800_000;

/** A program as a kernel. Made by {@link program}. */
export class Program<Output> extends ProgramKernel<Output> {
  readonly #source: ProgramSource;
  readonly #options: ProgramOptions;

  constructor(source: ProgramSource, options: ProgramOptions) {
    const path = source instanceof URL ? fileURLToPath(source) : source;
    super(typeof path === "string" ? basename(path) : "program.wasm");
    this.#source = source;
    this.#options = options;
  }

  /** @throws PlatformError BAD_ARGUMENT for a module that is no program of WASI preview 1, FILE_FAILED */
  async prepare(
    put: (bytes: Uint8Array) => Promise<DataReference>,
    { memoryMb, mayRefer }: Preparation,
  ): Promise<PreparedProgram> {
    const { args = [], env = {}, stdin = "", files = {}, output = "stdout", exitCodes = [0] } = this.#options;
    const contents = new Contents(this.name, put, mayRefer);
    const memoryBytes = memoryMb * 2 ** 20;
    const source = DataReference.is(this.#source) ? this.#source : await bytesOf(this.#source);
    if (!DataReference.is(source)) await checkModule(this.name, source, memoryBytes);
    const definition: ProgramDefinition = {
      name: this.name,
      module: await contents.of(source),
      args,
      env,
      stdin: typeof stdin === "string" ? stdin : await contents.of(stdin),
      files: await contents.ofAll(files),
      output,
      exitCodes,
      timeMs: this.#options.time?.getTime() ?? defaultTimeMs,
      memoryBytes,
    };
    return { definition, code: wasiCode, refs: contents.refs };
  }
}

/**
 * A program that was compiled to WebAssembly with the system interface WASI preview 1 (`wasm32-wasi`, `wasm32-wasip1`), as a kernel: each task
 * runs it from the start, with files in memory.
 *
 * @example
 * const fasttree = program("fasttree.wasm", { args: ["-nt", "{input}"] });
 * const trees = await hands.map(fasttree, await Promise.all(alignments.map((path) => hands.put(path))));
 *
 * @param source - path or URL of the `.wasm` file, its bytes, or a data reference to them
 */
export function program<const Output extends ProgramOutput = "stdout">(
  source: ProgramSource,
  options: ProgramOptions<Output> = {},
): Program<ProgramOutputOf<Output>> {
  return new Program(source, options);
}

/** Names of modules that were found to be programs. */
const checked = new Set<string>();

/** Functions that programs may import: those that are there. */
const callNames: ReadonlySet<string> = new Set(Object.keys(preview1({} as never)));

/** @throws PlatformError BAD_ARGUMENT */
async function checkModule(name: string, bytes: Uint8Array, memoryBytes: number): Promise<void> {
  const refusal = (what: string, cause?: unknown): PlatformError =>
    new PlatformError(
      "BAD_ARGUMENT",
      `${name} ${what} Expected a program of WASI preview 1, as \`clang --target=wasm32-wasi\` or \`cargo build --target wasm32-wasip1\` makes it.`,
      cause,
    );
  const key = `${createHash("sha256").update(bytes).digest("hex")} ${memoryBytes}`;
  if (checked.has(key)) return;
  if (Buffer.compare(bytes.subarray(0, 4), Buffer.from("\0asm")) !== 0)
    throw refusal("is no WebAssembly module.");
  if (bytes[4] !== 1) throw refusal("is a WebAssembly component (WASI preview 2 or later).");
  const module = await WebAssembly.compile(bytes).catch((error: unknown) => {
    throw refusal(`is no WebAssembly that can be compiled: ${messageOf(error)}.`, error);
  });
  const foreign = WebAssembly.Module.imports(module).filter(
    (each) =>
      each.module !== "wasi_snapshot_preview1" || each.kind !== "function" || !callNames.has(each.name),
  );
  if (foreign.length > 0) {
    const listed = foreign.slice(0, 5).map((each) => `${each.module}.${each.name}`);
    throw refusal(
      `imports ${listed.join(", ")}${foreign.length > 5 ? " and others" : ""}, which is not there.`,
    );
  }
  const exported = new Set(WebAssembly.Module.exports(module).map((each) => `${each.kind} ${each.name}`));
  if (!exported.has("function _start") || !exported.has("memory memory"))
    throw refusal("exports no `_start` and `memory`, as a library does.");
  try {
    withMemoryLimit(bytes, memoryBytes);
  } catch (error) {
    throw new PlatformError("BAD_ARGUMENT", `${name}: ${messageOf(error)}`, error);
  }
  checked.add(key);
}
