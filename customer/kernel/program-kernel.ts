import { readFile } from "node:fs/promises";
import { DataReference, type BlobName } from "../../shared/data-reference.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { Content } from "../wasi/arguments.ts";
import type { ProgramOutput } from "../wasi/outcome.ts";
import type { KernelModule } from "./kernel-source.ts";
import type { ProgramCode } from "./program-code.ts";

/** A file on this machine, bytes, or a data reference. */
export type ProgramSource = string | URL | Uint8Array | DataReference;

/** A value of a task's input that a program can get. */
export type ProgramValue =
  string | number | boolean | bigint | ArrayBufferView | DataReference | null | undefined;

/** A task's input for a program: one value, or values by name or position. */
export type ProgramInput = ProgramValue | { readonly [name: string]: ProgramValue } | readonly ProgramValue[];

/** Input, files and output of the programs and commands that kernels start. */
export interface StartOptions<Output extends ProgramOutput> {
  /** Standard input: a text with placeholders, or bytes. Of a placeholder alone that stands for bytes, these bytes. */
  readonly stdin?: string | Uint8Array | DataReference;
  /** Files of every task by path. A string names a file on this machine. */
  readonly files?: Readonly<Record<string, ProgramSource>>;
  /** Output of a task: standard output as text (`"stdout"`, default) or bytes, or the files whose paths match, by path. */
  readonly output?: Output;
  /** Exit codes that are no failure (0). */
  readonly exitCodes?: readonly number[];
}

/** Conditions of a job under which a kernel that starts a program is made ready. */
export interface Preparation {
  readonly memoryMb: number;
  /** Whether tasks can name blobs beside those of their inputs. */
  readonly mayRefer: boolean;
}

/** A program with the blobs that each of its tasks names. */
export interface PreparedProgram {
  readonly definition: object;
  /** Makes the kernel of the definition. */
  readonly code: ProgramCode;
  readonly refs: readonly BlobName[];
}

let count = 0;

/** A kernel that starts a program: one that it brings along, or a command of the client's machine. */
export abstract class ProgramKernel<Output> implements KernelModule<ProgramInput, Output> {
  /** Tells programs apart. */
  readonly url: URL;
  /** Carries the types of the kernel to the job; never set. */
  declare readonly types?: (input: ProgramInput) => Output;
  readonly name: string;
  /** The command that its jobs require. */
  readonly command: string | undefined;

  constructor(name: string, command?: string) {
    this.url = new URL(`program:${++count}`);
    this.name = name;
    this.command = command;
  }

  /**
   * Makes the program ready for a job.
   *
   * @param put - stores bytes on the server
   * @throws PlatformError BAD_ARGUMENT, FILE_FAILED
   */
  abstract prepare(
    put: (bytes: Uint8Array) => Promise<DataReference>,
    preparation: Preparation,
  ): Promise<PreparedProgram>;
}

/** Statements that declare the kernel of a program under a name; python/manyhands.py has the same text. */
export async function programDeclaration(
  { definition, code }: Pick<PreparedProgram, "definition" | "code">,
  name: string,
): Promise<string> {
  const told = JSON.stringify(JSON.stringify(definition));
  return `${await code.text()}const ${name} = ${code.maker}(JSON.parse(${told}));\n`;
}

/** The module whose kernel is a program. */
export async function programModule(program: Pick<PreparedProgram, "definition" | "code">): Promise<string> {
  return `${await programDeclaration(program, "manyhandsKernel")}export default manyhandsKernel;\n`;
}

/** Content up to this size travels in the kernel, larger content as a blob, which is fetched once a machine. */
const embeddedBytes = 1024 * 1024;

/** Contents of a program's files, and the blobs among them. */
export class Contents {
  readonly #refs = new Map<Sha256, BlobName>();
  readonly #program: string;
  readonly #put: (bytes: Uint8Array) => Promise<DataReference>;
  readonly #mayRefer: boolean;

  constructor(program: string, put: (bytes: Uint8Array) => Promise<DataReference>, mayRefer: boolean) {
    this.#program = program;
    this.#put = put;
    this.#mayRefer = mayRefer;
  }

  /** Blobs that each task names. */
  get refs(): BlobName[] {
    return [...this.#refs.values()];
  }

  /** @throws PlatformError BAD_ARGUMENT, FILE_FAILED */
  async of(source: ProgramSource): Promise<Content> {
    if (DataReference.is(source)) {
      if (source.range) throw sliceRefusal();
      return this.#refer(source);
    }
    const bytes = await bytesOf(source);
    if (!this.#mayRefer || bytes.length <= embeddedBytes)
      return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64") };
    return this.#refer(await this.#put(bytes));
  }

  async ofAll(files: Readonly<Record<string, ProgramSource>>): Promise<Record<string, Content>> {
    const named = Object.entries(files).map(async ([path, source]) => [path, await this.of(source)] as const);
    return Object.fromEntries(await Promise.all(named));
  }

  #refer({ sha256, size }: BlobName): Content {
    if (!this.#mayRefer)
      throw new PlatformError(
        "BAD_ARGUMENT",
        `The program ${this.#program} has data references, and its job takes the outputs of another one, whose tasks cannot name further blobs. Give files or bytes, which then travel in the kernel.`,
      );
    this.#refs.set(sha256, { sha256, size });
    return { sha256, size };
  }
}

export async function bytesOf(source: Exclude<ProgramSource, DataReference>): Promise<Uint8Array> {
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
