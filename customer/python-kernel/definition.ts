import type { BlobName } from "../../shared/data-reference.ts";
import type { PythonProgram } from "../../shared/wire/python-program.ts";

/** A large file of Pyodide: a blob that each task names, or the bytes in base64. */
export type RuntimeFile = BlobName | { readonly base64: string };

/** All that a kernel in Python has beside the code of Pyodide. */
export interface PythonDefinition {
  readonly program: PythonProgram;
  /** By the names that Pyodide asks for. */
  readonly files: Readonly<Record<string, RuntimeFile>>;
  /** Description of the build of Pyodide, from its own list of packages. */
  readonly info: Readonly<Record<string, string>>;
  /** Modules of Python around the program's: sources by name. */
  readonly support: Readonly<Record<string, string>>;
}
