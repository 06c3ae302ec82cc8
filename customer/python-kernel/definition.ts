import type { BlobName } from "../../shared/data-reference.ts";
import type { ProgramWheel, PythonProgram } from "../../shared/wire/python-program.ts";

/** A large file of Pyodide: a blob that each task names, or the bytes in base64. */
export type RuntimeFile = BlobName | { readonly base64: string };

/** A function in Python with the code around it. */
export interface FunctionDefinition {
  readonly program: Pick<PythonProgram, "modules" | "module" | "function" | "spread" | "combine">;
  /** Modules of Python around the program's: sources by name. */
  readonly support: Readonly<Record<string, string>>;
}

/** All that a kernel in Python has beside the code of Pyodide. */
export interface PythonDefinition extends FunctionDefinition {
  /** Packages, of which the first that has a module gives it. */
  readonly wheels: readonly ProgramWheel[];
  /** By the names that Pyodide asks for. */
  readonly files: Readonly<Record<string, RuntimeFile>>;
  /** Description of the build of Pyodide, from its own list of packages. */
  readonly info: Readonly<Record<string, string>>;
}
