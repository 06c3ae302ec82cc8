import { PlatformError } from "../../shared/errors.ts";
import type { PythonProgram } from "../../shared/wire/python-program.ts";
import { nativePythonModule } from "./native.ts";
import { PythonRuntime, type AvailableWheel, type PythonKernel } from "./runtime.ts";

/**
 * Makes the kernel of a function in Python.
 * @param embedsFiles - the files of Pyodide travel in the kernel, for tasks that can name no blobs
 * @param available - wheels of the server, of which those come along that the program imports
 * @param on - a command of clients whose own Python computes the function, instead of Pyodide
 * @throws PlatformError BAD_ARGUMENT
 */
export async function makePythonKernel(
  program: PythonProgram,
  embedsFiles: boolean,
  available: readonly AvailableWheel[],
  on?: string,
): Promise<PythonKernel> {
  if (on === undefined) return PythonRuntime.make(program, embedsFiles, available);
  if (program.wheels && program.wheels.length > 0)
    throw new PlatformError(
      "BAD_ARGUMENT",
      `Wheels are for the Python that travels in the kernel, and the function is computed by the Python of the command ${on}; install its packages there.`,
    );
  return { source: await nativePythonModule(program), refs: [], missing: [] };
}
