import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { DataReference, type BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { Content, ProgramDefinition, ProgramOutput } from "../wasi/kernel.ts";
import { withMemoryLimit } from "../wasi/memory-limit.ts";
import { preview1 } from "../wasi/preview1.ts";
import { WebAssembly } from "../wasi/web-assembly.ts";
import type { KernelModule } from "./kernel-source.ts";
import { programCode, programCodeName } from "./program-code.ts";

/** A file on this machine, bytes, or a data reference. */
export type ProgramSource = string | URL | Uint8Array | DataReference;

/** A value of a task's input that a program can get. */
export type ProgramValue =
  string | number | boolean | bigint | ArrayBufferView | DataReference | null | undefined;

/** A task's input for a program: one value, or values by name or position. */
export type ProgramInput = ProgramValue | { readonly [name: string]: ProgramValue } | readonly ProgramValue[];

export interface ProgramOptions<Output extends ProgramOutput = ProgramOutput> {
  /**
   * Arguments behind the program's name. `{input}` is the task's input, `{name}` a member of an input that is an object, `{0}` an element
   * of a list: text and numbers as they are, bytes and data references as the path of a file. `{name:file}` makes a file of text, too;
   * `{{` is a brace.
   */
  readonly args?: readonly string[];
  /** Environment, with the same placeholders. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input: a text with placeholders, or bytes. Of a placeholder alone that stands for bytes, these bytes. */
  readonly stdin?: string | Uint8Array | DataReference;
  /** Files of every task by path. A string names a file on this machine. */
  readonly files?: Readonly<Record<string, ProgramSource>>;
  /** Output of a task: standard output as text (`"stdout"`, default) or bytes, or the files whose paths match, by path. */
  readonly output?: Output;
  /** Exit codes that are no failure (0). */
  readonly exitCodes?: readonly number[];
  /** Time at which the program's clock starts (2000-01-01). */
  readonly time?: Date;
}

/** The output of a task. */
export type ProgramOutputOf<Output extends ProgramOutput> = Output extends "stdout"
  ? string
  : Output extends "bytes"
    ? Uint8Array
    : Record<string, Uint8Array>;

/** Content up to this size travels in the kernel, larger content as a blob, which is fetched once a machine. */
const embeddedBytes = 1024 * 1024;

/** Start of the clock: 2000-01-01. */
const defaultTimeMs = 946_684_800_000;

let count = 0;

/** A program as a kernel. Made by {@link program}. */
export class Program<Output> implements KernelModule<ProgramInput, Output> {
  /** Tells programs apart. */
  readonly url: URL;
  /** Carries the types of the kernel to the job; never set. */
  declare readonly types?: (input: ProgramInput) => Output;
  readonly name: string;
  readonly #source: ProgramSource;
  readonly #options: ProgramOptions;

  constructor(source: ProgramSource, options: ProgramOptions) {
    this.url = new URL(`program:${++count}`);
    this.#source = source;
    this.#options = options;
    const path = source instanceof URL ? fileURLToPath(source) : source;
    this.name = typeof path === "string" ? basename(path) : "program.wasm";
  }

  /**
   * Makes the program ready for a job.
   *
   * @param put - stores bytes on the server
   * @param mayRefer - whether tasks can name blobs beside those of their inputs
   * @throws PlatformError BAD_ARGUMENT for a module that is no program of WASI preview 1, FILE_FAILED
   */
  async prepare(
    put: (bytes: Uint8Array) => Promise<DataReference>,
    { memoryMb, mayRefer }: { memoryMb: number; mayRefer: boolean },
  ): Promise<PreparedProgram> {
    const { args = [], env = {}, stdin = "", files = {}, output = "stdout", exitCodes = [0] } = this.#options;
    const refs = new Map<Sha256, BlobName>();
    const refer = ({ sha256, size }: BlobName): Content => {
      if (!mayRefer)
        throw new PlatformError(
          "BAD_ARGUMENT",
          `The program ${this.name} has data references, and its job takes the outputs of another one, whose tasks cannot name further blobs. Give files or bytes, which then travel in the kernel.`,
        );
      refs.set(sha256, { sha256, size });
      return { sha256, size };
    };
    const contentOf = async (source: ProgramSource): Promise<Content> => {
      if (DataReference.is(source)) {
        if (source.range) throw sliceRefusal();
        return refer(source);
      }
      const bytes = await bytesOf(source);
      if (!mayRefer || bytes.length <= embeddedBytes)
        return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64") };
      return refer(await put(bytes));
    };
    const memoryBytes = memoryMb * 2 ** 20;
    if (!DataReference.is(this.#source))
      await checkModule(this.name, await bytesOf(this.#source), memoryBytes);
    const definition: ProgramDefinition = {
      name: this.name,
      module: await contentOf(this.#source),
      args,
      env,
      stdin: typeof stdin === "string" ? stdin : await contentOf(stdin),
      files: Object.fromEntries(
        await Promise.all(
          Object.entries(files).map(async ([path, source]) => [path, await contentOf(source)] as const),
        ),
      ),
      output,
      exitCodes,
      timeMs: this.#options.time?.getTime() ?? defaultTimeMs,
      memoryBytes,
    };
    return { definition, refs: [...refs.values()] };
  }
}

/** A program with the blobs that each of its tasks names. */
export interface PreparedProgram {
  readonly definition: ProgramDefinition;
  readonly refs: readonly BlobName[];
}

/** Statements that declare the kernel of a program under a name; python/manyhands.py has the same text. */
export async function programDeclaration({ definition }: PreparedProgram, name: string): Promise<string> {
  const told = JSON.stringify(JSON.stringify(definition));
  return `${await programCode()}const ${name} = ${programCodeName}.programKernel(JSON.parse(${told}));\n`;
}

/**
 * A program that was compiled to WebAssembly with the system interface WASI preview 1 (`wasm32-wasi`, `wasm32-wasip1`), as a kernel: each task
 * runs it from the start, with files in memory.
 *
 * @example
 * const fasttree = program("fasttree.wasm", { args: ["-nt", "{input}"] });
 * const trees = await hands.map(fasttree, alignments.map((path) => hands.put(path)));
 *
 * @param source - path or URL of the `.wasm` file, its bytes, or a data reference to them
 */
export function program<const Output extends ProgramOutput = "stdout">(
  source: ProgramSource,
  options: ProgramOptions<Output> = {},
): Program<ProgramOutputOf<Output>> {
  return new Program(source, options);
}

async function bytesOf(source: Exclude<ProgramSource, DataReference>): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  try {
    return await readFile(source);
  } catch (error) {
    throw new PlatformError(
      "FILE_FAILED",
      `The file ${String(source)} cannot be read: ${messageOf(error)}.`,
      error,
    );
  }
}

function sliceRefusal(): PlatformError {
  return new PlatformError(
    "BAD_ARGUMENT",
    "A file of a program is a slice of a blob; expected a whole blob.",
  );
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
