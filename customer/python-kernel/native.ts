import type { PythonProgram } from "../../shared/wire/python-program.ts";
import { nativePythonCode } from "../kernel/program-code.ts";
import { programModule } from "../kernel/program-kernel.ts";
import type { FunctionDefinition } from "./definition.ts";
import { functionOf, supportWith } from "./support.ts";

/** The module of the kernel of a function in Python that a Python of the client's machine computes. */
export async function nativePythonModule(program: PythonProgram): Promise<string> {
  const definition: FunctionDefinition = {
    program: functionOf(program),
    support: await supportWith("worker", "./native-worker.py"),
  };
  return programModule({ definition, code: nativePythonCode });
}
